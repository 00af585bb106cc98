package catalog

import (
	"context"
	"time"

	"cosafs/index"
)

// A File is a file of a store.
type File struct {
	Name    string // relative to the build's directory: x86_64/meta.json
	Size    int64  // bytes
	ModTime time.Time
	Version string // changes with the content; "" if the store tells none
}

// A Source is a store as the catalog reads it. It is safe for concurrent use, and
// every method ends with its ctx. Only absence that is proven is fs.ErrNotExist.
type Source interface {
	// List gives builds.json, or no data where it is of the known version.
	List(ctx context.Context, known string) (data []byte, f File, err error)
	// Files gives all files of a build's directory, those of its architectures
	// too. A store that can't list gives errors.ErrUnsupported.
	Files(ctx context.Context, id string) ([]File, error)
	// Read gives a small file of a build, by its name relative to the build's
	// directory, or no data where it is of the known version.
	Read(ctx context.Context, id, name, known string) (data []byte, f File, err error)
}

// Options say how a store is synced.
type Options struct {
	Parallel int // builds that are looked at at once; 0 = 32
	// Recheck is how many of the newest builds are looked at again although they
	// are known: their meta.json may have changed, as artifacts are added later.
	// 0 = 20, negative = all.
	Recheck int
	// Before is told before the record of an architecture is replaced or deleted.
	// It may read the catalog. nil: nobody is told.
	Before func(id, arch string)
	// Progress is told how many builds of those that are looked at are done. Like
	// Before it is called from one goroutine. nil: nobody is told.
	Progress func(done, total int)
}

// A Report tells what a sync did.
type Report struct {
	Builds                  int     // on the list
	Added, Changed, Removed int     // builds
	Problems                []error // what can't be used, by now; a hundred at most
	Unchanged               bool    // the catalog answers as before
}

// Top is the list of a store's builds.
type Top struct {
	List   *index.Builds
	Data   []byte // builds.json as the store has it
	File   File
	Synced time.Time // when the store was asked the last time with success
}

// A Build is a build of a store's list.
type Build struct {
	ID      string
	Time    time.Time     // the latest of its architectures'; zero if none tells
	Arches  []Head        // in the list's order
	Files   []File        // beside the architectures
	Cleanup index.Cleanup // what was deleted of it
}

// A Head says that a build has an architecture.
type Head struct {
	Name  string    // "" in a list without architectures (legacy)
	Stamp uint64    // changes with what is known of it
	Time  time.Time // when it was built; zero if that is not known
}

// An Arch is what is known of a build for one architecture.
type Arch struct {
	ID, Name string
	Dir      string // the key of its directory, see [index.Dir]
	OS       string // the name of the OS
	Version  string
	Commit   string // of OSTree
	Config   string // where the configuration came from, see [index.Git.String]
	Time     time.Time
	Stamp    uint64
	Files    []File // base names; where the store can't list: meta.json only
	Listed   bool   // Files are all there is
	Images   []index.Image
	Problem  string // why meta.json can't be used, "" if it can
}

// A Query says which builds are looked for: those for which all that is given
// holds.
type Query struct {
	ID      string // it begins so
	Arch    string
	Commit  string // it begins so, in hexadecimal digits
	SHA256  string // that of an image begins so, as it is stored or uncompressed
	Kind    string // there is an image of this kind
	Package string // NAME, NAME-VERSION or NAME-VERSION-RELEASE
	Tag     string
	After   time.Time // built then or later
	Before  time.Time // built earlier
	Oldest  bool      // only the oldest match: who first had it
	Limit   int       // the newest so many; 0 = all
}

// A Match is a build that was found, for one architecture.
type Match struct {
	Arch
	Tags     []string
	Packages []index.Package // that matched
	Matched  []index.Image   // that are of the kind or have the digest
}
