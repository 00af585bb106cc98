package vfs

import (
	"context"
	"os"
	"time"

	"cosafs/materialize"
)

// An Entry is one file of the tree as the index knows it.
type Entry struct {
	Build   string    // build id, [materialize.Next], or "" for files at the top
	Arch    string    // "" for files beside the architectures
	Name    string    // base name
	Kind    string    // artifact kind, "" for metadata files
	Size    int64     // bytes, exact; -1 until it is known
	Blocks  int64     // units of 512 bytes that the file takes; 0 = as many as its size
	ModTime time.Time // the build's time for artifacts
	State   materialize.State
	Reason  string // one line for a person, where the state needs one
	SHA256  string // hex; "" if it is not recorded, or not known yet of a view
	Source  string // where the bytes come from: "workdir", "job:ID"; "" if that is not known
	// Inputs is the hash of what the bytes would be made from. Two entries of
	// next/ with different Inputs are different files.
	Inputs string
	// Stamp tells a view of a disk from what was computed under its name before, when
	// the disk had other bytes; "" for other files. It isn't known before there is a disk, and
	// so it doesn't make another file, as Version does.
	Stamp string
	// Version tells an artifact from the one whose place it took; "" for the one that
	// was seen first. Two entries with different Versions are different files.
	Version string
}

// A Build is one build of a snapshot.
type Build struct {
	ID     string
	Time   time.Time
	Arches []Arch
	Files  []Entry // beside the architectures: release.json
}

// An Arch is the directory of one build for one architecture.
type Arch struct {
	Name string
	// Stamp changes with the files: equal stamps of one directory mean equal files.
	Stamp uint64
	// Files gives the listed files in name order; nobody changes what it gives. It
	// reads memory or the local index, so that a snapshot of ten thousand builds
	// needs no room for their files. Those of an older snapshot stay what they were
	// for as long as somebody waits for what changes (see [Watcher]).
	Files func() ([]Entry, error)
}

// FilesOf gives files that are in memory.
func FilesOf(files []Entry) func() ([]Entry, error) {
	return func() ([]Entry, error) { return files, nil }
}

// A Snapshot is the tree's facts at one moment. It is immutable and may be shared.
type Snapshot struct {
	Serial uint64   // grows with every change
	Top    []Entry  // builds.json
	Builds []Build  // newest first
	Latest string   // target of the link "latest", "" for none
	Next   []string // architectures of next/, empty when nothing can be built
}

// A Library is where the tree's facts and bytes come from. It is safe for
// concurrent use. Only Open may cost anything: the other methods answer from
// memory and the local index, and never wait for a network or a job.
type Library interface {
	// Snapshot gives the facts as known now.
	Snapshot() *Snapshot
	// Changed is closed when Snapshot would give something newer than it gave
	// before this call.
	Changed() <-chan struct{}
	// Resolve finds a name that the snapshot does not list: a buildable
	// artifact by its full name, or any artifact by its short name (the entry
	// then carries the full name, except in next/, where short names are the
	// names). fs.ErrNotExist where nothing of that name can come to be.
	Resolve(ctx context.Context, build, arch, name string) (Entry, error)
	// Refresh gives e with its size, state, reason as they are now. For an entry
	// of next/ whose inputs changed since it gives vfs.ErrStale. So it does, or Open
	// does, for an artifact that another one took the place of.
	Refresh(ctx context.Context, e Entry) (Entry, error)
	// Buildable lists what Resolve would find in a directory beyond the listed files.
	Buildable(ctx context.Context, build, arch string) []Entry
	// Progress is how much of the job that makes e is done, 0 to 1, and whether
	// there is one.
	Progress(e Entry) (float64, bool)
	// Open makes the bytes exist and gives them. It blocks for as long as that
	// takes, or until ctx ends; the job goes on for a while then, for a caller
	// who comes back.
	Open(ctx context.Context, e Entry) (Blob, error)
	// Status is the text of .cosafs/status.
	Status() []byte
	// Jobs lists the jobs known, newest first; JobFile gives one of a job's
	// files: log, plan or progress.
	Jobs() []materialize.JobInfo
	JobFile(id, name string) ([]byte, error)
}

// A Blob is the bytes of one open file. Size is exact. ReadAt follows
// io.ReaderAt but for the ctx that ends it. Close is called once.
type Blob interface {
	ReadAt(ctx context.Context, p []byte, off int64) (int, error)
	Size() int64
	// LocalFile gives a complete file on this machine with the same bytes, for
	// passthrough and sendfile. The blob owns it.
	LocalFile() (*os.File, bool)
	Close() error
}

// Filed is what a Blob without a local file may tell besides: which of its bytes lie in
// one.
type Filed interface {
	// Source gives an open file, the blob's, that the n bytes at off lie in as they are,
	// and where in it; false if some are computed, or they lie in several places.
	Source(off, n int64) (f *os.File, at int64, ok bool)
}

// Sparse is what a Blob without a local file may tell besides: where its holes are.
type Sparse interface {
	// Data gives the first range at or after off that is not a hole; false where all
	// that follows are zeros.
	Data(off int64) (start, end int64, ok bool)
}
