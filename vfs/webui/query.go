package webui

import (
	"context"
	"encoding/json"
	"time"

	"cosafs/materialize"
)

// A Keeper is a [Service] whose tree shows stores, too, and which keeps an index
// of all builds and a cache of what was read. [Handler] offers these calls only
// where its service is one.
type Keeper interface {
	// Find gives the builds that match, newest first, from the index: without a
	// request to a store but for package lists that were never asked for before,
	// of which tell hears; it may be nil.
	Find(ctx context.Context, req FindRequest, tell func(materialize.Event)) ([]Found, error)
	// Diff compares two builds.
	Diff(ctx context.Context, req DiffRequest) (Diff, error)
	// Sync asks the stores what is new now, rather than at the next refresh. A store
	// that can't be asked is an error; the others are asked all the same.
	Sync(ctx context.Context, tell func(materialize.Event)) error
	// Pin keeps what the path names in the cache for good, or no longer; it fetches nothing.
	Pin(ctx context.Context, path string, pinned bool) error
}

// A StoreStatus is what is known of a store.
type StoreStatus struct {
	Name    string    `json:"name"` // its URL
	Builds  int       `json:"builds"`
	Synced  time.Time `json:"synced,omitzero"`   // when it was asked with success; zero = never
	Problem string    `json:"problem,omitempty"` // why it could not be asked the last time
}

// A CacheStatus is what the cache holds, in bytes.
type CacheStatus struct {
	Bytes   int64 `json:"bytes"`
	Quota   int64 `json:"quota"`
	Pinned  int64 `json:"pinned"`
	Objects int   `json:"objects"`
}

// A FindRequest says which builds are looked for: those for which all that is
// given holds.
type FindRequest struct {
	ID      string            `json:"id,omitempty"`     // the build id begins so
	Arch    string            `json:"arch,omitempty"`   //
	Commit  string            `json:"commit,omitempty"` // the ostree commit begins so
	SHA256  string            `json:"sha256,omitempty"` // an artifact's digest, as it is stored or uncompressed, begins so
	Kind    string            `json:"kind,omitempty"`   // an artifact of this kind is recorded
	State   materialize.State `json:"state,omitempty"`  // an artifact (of Kind, if given) is in this state
	Package string            `json:"package,omitempty"`
	Tag     string            `json:"tag,omitempty"`
	After   time.Time         `json:"after,omitzero"`   // built then or later
	Before  time.Time         `json:"before,omitzero"`  // built earlier
	Oldest  bool              `json:"oldest,omitempty"` // only the oldest that matches: the build that first had it
	Limit   int               `json:"limit,omitempty"`  // newest so many; 0 = all
}

// A Found is a build of one architecture that matched.
type Found struct {
	Build     string                 `json:"build"`
	Arch      string                 `json:"arch"`
	Version   string                 `json:"version"`
	Commit    string                 `json:"ostree-commit"`
	Time      time.Time              `json:"time"`
	Tags      []string               `json:"tags,omitempty"`
	Source    string                 `json:"source"`              // "workdir", or the store's URL
	Artifacts []materialize.Artifact `json:"artifacts,omitempty"` // those that matched
	Packages  []materialize.Package  `json:"packages,omitempty"`  // those that matched
}

// A DiffRequest names two builds of one architecture.
type DiffRequest struct {
	A    string `json:"a"`
	B    string `json:"b"`
	Arch string `json:"arch,omitempty"` // "" = this machine's
}

// A Diff is what changed from A to B.
type Diff struct {
	A         Found            `json:"a"`
	B         Found            `json:"b"`
	Packages  []PackageChange  `json:"packages"`          // by name
	Artifacts []ArtifactChange `json:"artifacts"`         // by kind
	Meta      []ValueChange    `json:"meta"`              // top-level keys of meta.json that differ, but for images
	Unknown   string           `json:"unknown,omitempty"` // why packages could not be compared
}

// A PackageChange is a package that came, went or changed; versions are
// [epoch:]version-release.arch, "" for not there.
type PackageChange struct {
	Name string `json:"name"`
	Old  string `json:"old,omitempty"`
	New  string `json:"new,omitempty"`
}

// An ArtifactChange is a kind of artifact that came, went or has other bytes; nil
// for not there.
type ArtifactChange struct {
	Kind string                `json:"kind"`
	Old  *materialize.Artifact `json:"old,omitempty"`
	New  *materialize.Artifact `json:"new,omitempty"`
}

// A ValueChange is a value of meta.json; nil for not there.
type ValueChange struct {
	Key string          `json:"key"`
	Old json.RawMessage `json:"old,omitempty"`
	New json.RawMessage `json:"new,omitempty"`
}
