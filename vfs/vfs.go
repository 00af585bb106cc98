// Package vfs is the tree that every door shows: build directories by name,
// artifacts whose bytes come to exist when somebody opens them, and a small
// folder of text about what is going on.
//
// It turns the facts of a [Library] into nodes. A node is exactly one of [Dir],
// [File] and [Symlink]. Looking at nodes is free: names, attributes and
// extended attributes come from memory, and only [File.Open] may take time.
//
// The package knows nothing of kernels and of HTTP; the doors below it
// (fusefs, webui) translate.
package vfs

import (
	"sync/atomic"
	"time"
)

// Options are choices of a tree. The zero value is usable.
type Options struct {
	// ListBuildable also lists what does not exist yet but could be made. Programs
	// that copy or index whole trees then build everything.
	ListBuildable bool
	// OpenDeadline ends an open that takes longer, with
	// context.DeadlineExceeded; 0 lets it take as long as it wants. The work goes
	// on for a while, for a caller who comes back.
	OpenDeadline time.Duration
	// Now dates the generated files; nil is time.Now.
	Now func() time.Time
}

// An FS is the tree. It is safe for concurrent use and starts nothing.
type FS struct {
	lib  Library
	opts Options
	view atomic.Pointer[view] // of the newest snapshot that was asked for
}

// New gives the tree over lib.
func New(lib Library, opts Options) *FS {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &FS{lib: lib, opts: opts}
}

// Serial grows with every change of the index: what was made of the tree's names
// at one serial holds for as long as it stays.
func (f *FS) Serial() uint64 { return f.lib.Snapshot().Serial }

// Root is the directory at the top.
func (f *FS) Root() Dir { return &rootDir{f} }
