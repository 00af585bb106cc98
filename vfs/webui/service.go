// Package webui is the door for people and scripts: the JSON API of the daemon on
// its unix socket, its client, and the contract of both, [Service]. It moves
// questions and answers; it neither builds nor knows where bytes are.
package webui

import (
	"context"
	"io"
	"time"

	"cosafs/materialize"
)

// A Service is what cosafs does for people and scripts. The build directory
// itself implements it in process; [Client] implements it over the daemon's
// socket, so that commands need not know which of the two they talk to.
// Errors keep their class and hint (see [materialize.Failure]) across the socket,
// and io/fs sentinels stay recognisable by errors.Is.
type Service interface {
	// Status describes the process that answers.
	Status(ctx context.Context) (Status, error)
	// Builds lists the builds, newest first.
	Builds(ctx context.Context) ([]BuildInfo, error)
	// Show gives one build. id may be "latest"; arch "" is this machine's.
	Show(ctx context.Context, id, arch string) (BuildInfo, error)
	// Plan says what opening the path (relative to the tree's root) would do now.
	Plan(ctx context.Context, path string) (materialize.Plan, error)
	// Build makes a build if anything changed. Events go to tell, which may be
	// nil and is called from one goroutine at a time.
	Build(ctx context.Context, req BuildRequest, tell func(materialize.Event)) (BuildResult, error)
	// Materialise makes the path's bytes exist and says where they are.
	Materialise(ctx context.Context, path string, tell func(materialize.Event)) (materialize.Result, error)
	// Jobs lists jobs, newest first: running ones, and ended ones still remembered.
	Jobs(ctx context.Context) ([]materialize.JobInfo, error)
	// Log copies a job's log to w; with follow until the job ends.
	Log(ctx context.Context, job string, follow bool, w io.Writer) error
	// Cancel ends a job for everybody who waits for it.
	Cancel(ctx context.Context, job string) error
	// Retry forgets the failure that a job id or a path remembers.
	Retry(ctx context.Context, jobOrPath string) error
	// Prune deletes builds.
	Prune(ctx context.Context, req PruneRequest) ([]materialize.BuildRef, error)
	// Tag names a build; Untag takes the name away.
	Tag(ctx context.Context, name, id string) error
	Untag(ctx context.Context, name string) error
}

// Status is the answer to "who are you".
type Status struct {
	Version string                `json:"version"`
	PID     int                   `json:"pid"`
	Workdir string                `json:"workdir,omitempty"` // "" where there are stores only
	Mounts  []string              `json:"mounts,omitempty"`
	Serving []string              `json:"serving,omitempty"` // URLs of the remote doors
	Held    int                   `json:"held,omitempty"`    // how many commands keep the daemon, such as serve, whatever is mounted
	Engine  string                `json:"engine"`            // compose engine
	Started time.Time             `json:"started"`
	Jobs    []materialize.JobInfo `json:"jobs"` // those that wait or run
	Stores  []StoreStatus         `json:"stores,omitempty"`
	Cache   *CacheStatus          `json:"cache,omitempty"` // nil where nothing is cached
}

// BuildInfo is one build for people.
type BuildInfo struct {
	materialize.BuildRef
	Arch      string                 `json:"arch,omitempty"` // the fields below are of this one
	Version   string                 `json:"version,omitempty"`
	Commit    string                 `json:"ostree-commit,omitempty"`
	Config    string                 `json:"config,omitempty"` // branch (commit) (dirty), as cosa list prints it
	Artifacts []materialize.Artifact `json:"artifacts,omitempty"`
	Buildable []string               `json:"buildable,omitempty"` // kinds that opening would make
	Views     []materialize.Artifact `json:"views,omitempty"`     // computed as they are read, and their sha256 is known
	Problem   string                 `json:"problem,omitempty"`   // why it can't be shown: truncated meta.json, directory gone
}

// A BuildRequest is cosafs build's options.
type BuildRequest struct {
	Force      bool     `json:"force,omitempty"`       // a new commit even when nothing changed
	ForceImage bool     `json:"force-image,omitempty"` // a new build even when commit and image config are the same
	NoPrune    bool     `json:"no-prune,omitempty"`
	Version    string   `json:"version,omitempty"`
	Parent     string   `json:"parent,omitempty"` // parent commit or build id
	Tag        string   `json:"tag,omitempty"`
	Arch       string   `json:"arch,omitempty"`  // "" = this machine's
	Kinds      []string `json:"kinds,omitempty"` // image kinds to make; nil = qemu
}

// A BuildResult says what a build came to.
type BuildResult struct {
	ID       string                 `json:"id"`
	New      bool                   `json:"new"` // false: nothing had changed
	Commit   string                 `json:"ostree-commit"`
	Version  string                 `json:"version"`
	Pruned   []materialize.BuildRef `json:"pruned,omitempty"`
	Duration time.Duration          `json:"duration"` // nanoseconds
}

// A PruneRequest is cosafs prune's options.
type PruneRequest struct {
	Keep   int      `json:"keep"` // untagged builds to keep; 0 keeps all
	Builds []string `json:"builds,omitempty"`
	Dry    bool     `json:"dry,omitempty"`
}
