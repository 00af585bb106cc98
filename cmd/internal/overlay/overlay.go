// Package overlay shows a build directory and stores as one tree: what lies in
// the build directory first, and below it what the stores have. A build of the
// same id in both is one only if it has the same commit; else the build
// directory's hides the other, as bytes never change under a name.
package overlay

import (
	"context"
	"errors"
	"sync"

	"cosafs/cmd/internal/daemon"
	"cosafs/cmd/internal/stream"
	"cosafs/cmd/internal/workdir"
	"cosafs/index"
	"cosafs/vfs"
)

// A half is a tree of builds: the build directory, or the stores.
type half interface {
	Library() vfs.Library
	// List gives the builds.json that goes with the tree. Nobody changes it.
	List(ctx context.Context) (*index.Builds, error)
	// Commit gives the OSTree commit of a build; "" where its meta.json can't be
	// read. A build that the tree does not have is fs.ErrNotExist.
	Commit(ctx context.Context, build, arch string) (string, error)
}

// A Tree is a build directory over stores. Close it.
type Tree struct {
	work   *workdir.Workdir
	stream *stream.Stream
	search *search
	lib    *library
}

var (
	_ daemon.Backend = (*Tree)(nil)
	_ half           = (*workdir.Workdir)(nil)
	_ half           = (*stream.Stream)(nil)
)

// New joins them, with an index of the build directory that open opens when it is
// needed. The tree closes all three. ctx is of the looks that no caller's context
// covers.
func New(ctx context.Context, w *workdir.Workdir, s *stream.Stream, open Opener) *Tree {
	return &Tree{work: w, stream: s, search: &search{open: open}, lib: newLibrary(ctx, w, s, s.Names(), s.Unasked)}
}

// Library gives the tree's facts and bytes for doors.
func (t *Tree) Library() vfs.Library { return t.lib }

// Watch follows what changes in the build directory and in the stores, until ctx
// ends. The daemon runs it.
func (t *Tree) Watch(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { t.work.Watch(ctx) })
	both.Go(func() { t.stream.Watch(ctx) })
	both.Wait()
}

// Asked is closed when every store was asked once.
func (t *Tree) Asked() <-chan struct{} { return t.stream.Asked() }

// Close ends the jobs of both and waits for them.
func (t *Tree) Close(ctx context.Context) error {
	t.lib.close()
	return errors.Join(t.search.close(ctx), t.stream.Close(ctx), t.work.Close(ctx))
}
