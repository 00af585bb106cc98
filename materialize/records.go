package materialize

import (
	"context"
	"encoding/json"
	"time"
)

// Records is what a build directory remembers of its builds. All methods read
// the local directory only, and may be called concurrently. A build that is
// not there is fs.ErrNotExist.
type Records interface {
	// Latest is the newest build that has arch and lies in the directory.
	Latest(ctx context.Context, arch string) (Build, error)
	// Build is one build of one architecture.
	Build(ctx context.Context, id, arch string) (Build, error)
	// List gives every build id with its architectures, newest first.
	List(ctx context.Context) ([]BuildRef, error)
	// Add publishes a build: the files in n.Staging become its directory by one
	// rename, then builds.json and latest follow.
	Add(ctx context.Context, n NewBuild) error
	// AddArtifact moves file into the build's directory and records it in
	// meta.json under cosa's lock and merge rules. A kind that is already
	// recorded with other bytes is fs.ErrExist, and the recorded file stays.
	AddArtifact(ctx context.Context, id, arch string, a Artifact, file string) error
	// ReplaceArtifact moves file into the build's directory and records now in the
	// place of was, whose file is deleted last. An entry that isn't was any more is
	// fs.ErrExist, and nothing changes.
	ReplaceArtifact(ctx context.Context, id, arch string, was, now Artifact, file string) error
	// Prune deletes builds; see [PruneRequest]. It returns what it deleted or,
	// dry, would delete.
	Prune(ctx context.Context, req PruneRequest) ([]BuildRef, error)
	// Tag gives a build a tag, replacing one of the same name; Untag takes it away.
	Tag(ctx context.Context, name, id string) error
	Untag(ctx context.Context, name string) error
	// FileName is the file name of an artifact as cosa names it.
	FileName(kind, name, id, arch string) string
}

// A BuildRef is one entry of builds.json.
type BuildRef struct {
	ID     string    `json:"id"`
	Arches []string  `json:"arches"`
	Local  bool      `json:"local"` // its directory is there
	Tags   []string  `json:"tags,omitempty"`
	Time   time.Time `json:"time"` // coreos-assembler.build-timestamp of the newest arch, else ostree-timestamp
}

// A Build is what meta.json and its neighbours say of one build.
type Build struct {
	ID, Arch, Name, Ref string
	Summary             string // one line about the OS
	Version, Commit     string
	ContentChecksum     string
	InputHash           string
	ImageInputChecksum  string
	ImageConfigChecksum string
	GenVer              int
	Config              string // where the configuration was taken from: branch (commit) (dirty); "" if not recorded
	Time                time.Time
	CommitTime          time.Time // ostree-timestamp
	Dir                 string    // the directory that holds meta.json
	Artifacts           map[string]Artifact
	Packages            []Package // from commitmeta.json; nil where it is missing
}

// Content is what identifies bytes.
type Content struct {
	SHA256 string // hex
	Size   int64
}

// An Artifact is one entry of meta.json's images.
type Artifact struct {
	Kind            string `json:"kind"`
	File            string `json:"file"` // base name in the build's directory
	Size            int64  `json:"size"` // bytes; -1 unknown
	SHA256          string `json:"sha256"`
	SkipCompression bool   `json:"skip-compression,omitempty"`
	// Inside is what a compressed file holds, where that is recorded: meta.json's
	// uncompressed-sha256 and uncompressed-size.
	Inside *Content `json:"-"`
	Local  bool     `json:"local"` // the recorded file is there
	// Damage says why the file that is there is not the recorded one; "" if there
	// is none, or nothing is known against it.
	Damage string `json:"damage,omitempty"`
	// State and Source say where the bytes of an artifact are that a store has, or
	// had; Reason is one line about it. They are "" for those of a build directory,
	// where Local and Damage tell.
	State  State  `json:"state,omitempty"`
	Source string `json:"source,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// A NewBuild is a finished build that waits to be published.
type NewBuild struct {
	ID, Arch, Name, Summary string
	GenVer                  int
	Commit                  Commit
	ImageJSON               []byte
	Staging                 string          // directory with every file but meta.json
	Artifacts               []Artifact      // whose files lie in Staging
	Time                    time.Time       // coreos-assembler.build-timestamp
	ConfigGit               json.RawMessage // coreos-assembler.container-config-git; nil if the config is not in git
	ConfigRev               string          // git describe; "" likewise
	ConfigDirty             bool
	Variant                 string // of the configuration; "" if there are none
	OverridesActive         bool
	ImageConfigChecksum     string
	ImageInputChecksum      string
}

// A PruneRequest says which builds go. Builds with tags, and those for which
// Busy answers true, are kept and not counted.
type PruneRequest struct {
	Keep   int                  // newest builds to keep; 0 keeps all
	Builds []string             // delete exactly these instead; a tagged one is refused
	Busy   func(id string) bool // open handles, pins; nil = none
	Dry    bool
}
