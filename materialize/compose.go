package materialize

import (
	"context"
	"encoding/json"
	"maps"
	"time"
)

// A Package is one RPM of a commit.
type Package struct {
	Name, Epoch, Version, Release, Arch string // Epoch is a decimal, "0" if none
}

// EVR is the version as rpm writes it: without an epoch of 0.
func (p Package) EVR() string {
	evr := p.Version + "-" + p.Release
	if p.Epoch != "" && p.Epoch != "0" {
		return p.Epoch + ":" + evr
	}
	return evr
}

// A Composer turns the configuration into an OSTree commit. Implementations
// are safe for concurrent use; whoever calls them runs one compose a time.
type Composer interface {
	// Name says which engine it is: "rpm-ostree" or "dnf".
	Name() string
	// Inputs hashes everything the commit is made from that can be read without
	// a network: manifest and its includes, files they name, overrides, overlays,
	// repo definitions. It costs reading those files, nothing else. A broken
	// manifest is a [Failure] of ClassConfig.
	Inputs(ctx context.Context) (Inputs, error)
	// Compose makes the commit, or finds that nothing changed since
	// req.Previous. It returns a [Failure] for anything a person can mend.
	Compose(ctx context.Context, req ComposeRequest, t *Task) (Commit, error)
}

// Inputs is what a commit is made from.
type Inputs struct {
	Hash    string            // hex sha256 over everything
	Parts   map[string]string // file or input name -> its own hash: shows which input changed
	Name    string            // of the OS: the manifest's metadata.name or rojig.name
	Ref     string            // the manifest's ref, "" if none
	Summary string            // the manifest's summary, "" if none
}

// A ComposeRequest says what to compose beside the configuration.
type ComposeRequest struct {
	Arch     string
	Version  string    // "" = automatic versioning
	Previous *Previous // nil for a first build
	Parent   string    // commit id; "" = no parent
	Force    bool      // make a commit even when nothing changed
	// ImageJSON is the rendered image configuration, kept in the commit as
	// /usr/share/coreos-assembler/image.json (cosa since 2022-06).
	ImageJSON []byte
	// PlatformsJSON is the table of platforms.yaml for Arch, kept beside it as
	// platforms.json (cosa since 2024-02).
	PlatformsJSON []byte
	// Metadata is added to the commit: coreos-assembler.config-gitrev and such.
	Metadata map[string]string
	// Timestamp is SOURCE_DATE_EPOCH; zero = the newest package's build time.
	Timestamp time.Time
}

// Previous is the build that changes are looked for against.
type Previous struct {
	Commit, Version, InputHash string
	ContentChecksum            string
	Packages                   []Package
}

// ImageFiles are the files of the commit that its images are made with, by path.
func (r ComposeRequest) ImageFiles() map[string][]byte {
	files := map[string][]byte{imageJSONPath: r.ImageJSON, platformsJSONPath: r.PlatformsJSON}
	maps.DeleteFunc(files, func(_ string, b []byte) bool { return len(b) == 0 })
	return files
}

// A Commit is what a compose gives.
type Commit struct {
	// Unchanged: nothing differs from the previous build. Only Checksum,
	// Version and InputHash are set then, to the previous build's.
	Unchanged       bool
	Checksum        string
	ContentChecksum string
	Version         string
	Ref             string // "" if the manifest names none
	InputHash       string // stored in the commit as rpmostree.inputhash
	Timestamp       time.Time
	Packages        []Package
	// Stats are rpm-ostree's counters as they go into meta.json
	// (ostree-n-metadata-total and so on), nil where the engine has none.
	Stats map[string]int64
	// PkgDiff is meta.json's pkgdiff against the previous build, nil for a first one.
	PkgDiff json.RawMessage
	// Lockfile, CommitMeta and Object are the contents of
	// manifest-lock.generated.<arch>.json, commitmeta.json and ostree-commit-object.
	Lockfile, CommitMeta, Object []byte
	// Repo is the bare-user OSTree repository that holds the commit.
	Repo string
}

// A CommitStore keeps commits on this machine and turns them into artifacts.
type CommitStore interface {
	// Has says whether the whole commit is there.
	Has(ctx context.Context, commit string) bool
	// Import brings a commit in from an ostree artifact (*-ostree.<arch>.tar). Where
	// that file is gone, what ExportView shows does as well.
	Import(ctx context.Context, artifact, commit string, t *Task) error
	// Export writes *-ostree.<arch>.tar: an archive-mode repository with the
	// commit under each of refs, members in a fixed order, no timestamps.
	Export(ctx context.Context, commit string, refs []string, out string, t *Task) error
	// ExportView gives the file that Export would write, without writing it, of a
	// commit that was exported and is there in that form still. What isn't there is
	// fs.ErrNotExist. Damage is found by whoever reads it, and compares.
	ExportView(ctx context.Context, commit string, refs []string) (View, error)
	// ExportSize is its size in bytes, under the same conditions. Asked again it costs
	// next to nothing.
	ExportSize(ctx context.Context, commit string, refs []string) (int64, error)
	// Repo is the bare-user repository's path.
	Repo() string
	// Cat reads a file of a commit. fs.ErrNotExist if the commit has none there.
	Cat(ctx context.Context, commit, path string) ([]byte, error)
	// SetRef and DeleteRef name commits so that Prune keeps them.
	SetRef(ctx context.Context, ref, commit string) error
	DeleteRef(ctx context.Context, ref string) error
	// Prune deletes what no ref reaches.
	Prune(ctx context.Context) error
}
