// Package fetch copies builds from a store into a working directory, as cosa
// buildfetch (and its older name buildprep) does. Unlike cosa it moves many
// ranges at once, takes up again what was interrupted, shows a file only when
// its bytes have been verified, and leaves out what is there already.
//
// What isn't complete lies in the working directory's tmp/cosafs/fetch, never in
// builds/. A reader of builds/ sees artifacts and metadata first, then meta.json,
// then builds.json, then the link latest; a new build directory comes with
// everything in it by one rename.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"cosafs/backend"
	"cosafs/backend/dirstore"
	"cosafs/index"
	"cosafs/materialize"
)

// All as the only architecture or artifact means every one that there is.
const All = "all"

// Options say what to fetch and where to. Workdir, Store and Arch are needed.
type Options struct {
	Workdir string        // holds builds/
	Store   backend.Store // to fetch from; trying again after mishaps is its own matter
	URL     string        // the store's name: for messages, and recorded as where builds.json came from

	Build     string   // id; "" or "latest" = the newest of the store's list
	Arches    []string // nil = Arch; All = all that the list has for the build
	Arch      string   // this machine's, as RPM calls it
	Artifacts []string // kinds of images; All = all that meta.json records; nil = none
	Files     []string // further files of a build's directory

	Force            bool // go on where builds.json or meta.json were changed here; see Run
	FindBuildForArch bool // the newest build that has the one architecture, not the newest of all
	Decompress       bool // keep images that come compressed (gz, xz, zst) uncompressed instead

	Parallel int           // ranges fetched at once; 0 = 8, or fewer where the store says so
	LockWait time.Duration // how long to wait for another fetch, or for a lock of cosa's; 0 = 30 s

	Tell func(materialize.Event) // progress, by one goroutine at a time; nil = nobody listens
}

// A Report says what a fetch did.
type Report struct {
	Build   string   `json:"build"`           // "" where there was none
	Arches  []string `json:"arches"`          // of the build that were fetched
	Fetched []string `json:"fetched"`         // files that are new, relative to builds/
	Skipped []string `json:"skipped"`         // files that were here already with the right bytes
	Bytes   int64    `json:"bytes"`           // that came from the store
	Notes   []string `json:"notes,omitempty"` // what a person should know, a sentence each
}

// Run fetches. What is there already is left out: an image whose file has the
// recorded size and sha256, any other file that is equal.
//
// A store without builds.json is a note and no error, as in cosa. Errors a person
// can mend are a [materialize.Failure]. What the store lacks is fs.ErrNotExist; for
// builds, architectures and kinds the hint names what there is.
//
// Without Force, a builds.json that was changed here since it was fetched, or lists
// builds that the store doesn't know, is fs.ErrExist, and so is an image that
// meta.json here records with other bytes. With Force the store's word counts,
// but builds and tags that only this list has stay in it.
//
// When ctx ends, or the process is killed, the next Run with the same store goes
// on from there. Only one Run works in a directory at a time; others wait.
func Run(ctx context.Context, o Options) (Report, error) {
	f, err := open(o)
	if err != nil {
		return Report{}, err
	}
	defer func() { _ = f.dir.Close() }() // nothing is written through it any more
	release, err := f.spool.lock(ctx, f.LockWait, f.tell)
	if err != nil {
		return Report{}, err
	}
	err = errors.Join(f.run(ctx), release())
	f.report.Bytes = f.moved.Load()
	return f.report, err
}

// A fetcher is one Run.
type fetcher struct {
	Options
	dir    *dirstore.Store // builds/
	builds *dirstore.Builds
	spool  spool
	report Report
	moved  atomic.Int64 // bytes that came from the store
}

func open(o Options) (*fetcher, error) {
	if o.LockWait == 0 {
		o.LockWait = 30 * time.Second
	}
	if o.Parallel <= 0 {
		o.Parallel = 8
	}
	if most := o.Store.Properties().Parallel; most > 0 {
		o.Parallel = min(o.Parallel, most)
	}
	dir, err := dirstore.Open(dirstore.Config{Dir: filepath.Join(o.Workdir, "builds"), LockWait: o.LockWait})
	if err != nil {
		return nil, materialize.Fail(materialize.ClassConfig, "fetch into "+o.Workdir,
			"make it a working directory with: cosafs init CONFIG, or name one with --workdir", err)
	}
	return &fetcher{
		Options: o, dir: dir, builds: dir.Builds(),
		spool: spool{dir: filepath.Join(o.Workdir, "tmp", "cosafs", "fetch")},
	}, nil
}

func (f *fetcher) run(ctx context.Context) error {
	remote, err := f.remoteList(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		f.note("%s holds no builds.json, so there is nothing to fetch", f.URL)
		return nil
	}
	if err != nil {
		return err
	}
	if err := f.mayReplaceList(ctx, remote); err != nil {
		return err
	}
	chosen, err := choose(remote, f.Options)
	if err != nil {
		return err
	}
	arches, err := f.plan(ctx, chosen)
	if err != nil {
		return err
	}
	if err := f.download(ctx, arches); err != nil {
		return err
	}
	return f.install(ctx, remote, chosen, arches)
}

// install shows what was downloaded, in the order that readers rely on.
func (f *fetcher) install(ctx context.Context, remote *index.Builds, chosen choice, arches []*arch) error {
	for _, a := range arches {
		if err := f.installArch(ctx, a); err != nil {
			return err
		}
		f.report.Arches = append(f.report.Arches, string(a.name))
	}
	list, err := f.installList(ctx, remote)
	if err != nil || chosen.id == "" {
		return err
	}
	f.report.Build = string(chosen.id)
	if err := f.pointLatest(ctx, list, chosen.id); err != nil {
		return err
	}
	if err := f.dropRefs(arches); err != nil || !f.Decompress {
		return err
	}
	for _, a := range arches {
		if err := f.decompress(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

func (f *fetcher) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !slices.Contains(f.report.Notes, text) {
		f.report.Notes = append(f.report.Notes, text)
	}
}

func (f *fetcher) tell(e materialize.Event) {
	if f.Tell != nil {
		e.Time = time.Now()
		f.Tell(e)
	}
}
