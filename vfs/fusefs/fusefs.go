// Package fusefs shows a [vfs.FS] as a Linux mount.
//
// The kernel may believe what never changes for an hour and is told what does
// (see [vfs.Watcher]). A complete local file is read by the kernel itself
// (FUSE passthrough, which needs root); everything else is read through this
// process. An open that has to make bytes blocks; it ends early only when the
// process that called open is dying, because programs get interrupted by far
// more signals than they mean to die of.
//
// A process must not open files of its own mount: the two ends of a request
// may wait for each other for ever.
package fusefs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	fusenode "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"cosafs/vfs"
)

// fsType is how mounts of this package are called in /proc/self/mountinfo.
const (
	fsName = "cosafs"
	fsType = "fuse." + fsName
)

// Options are choices of a mount. The zero value is usable.
type Options struct {
	// AllowOther lets other users look, too. Users other than root need
	// user_allow_other in /etc/fuse.conf for it.
	AllowOther bool
	// Debug prints every request to the logger.
	Debug bool
	// NoPassthrough reads complete local files through this process, too.
	NoPassthrough bool
	// Logger takes what no caller gets to see; nil discards it.
	Logger *slog.Logger
}

// A Server is a mount that answers. Its methods are safe for concurrent use.
type Server struct {
	dir     string
	conn    uint32 // number of the kernel's connection
	fs      *vfs.FS
	log     *slog.Logger
	fuse    *fuse.Server
	stats   counters
	backing backing
	pruner  *pruner

	releasing sync.Map      // <-chan struct{} -> *handle, see bridge.Release
	closing   chan struct{} // closed by the first Unmount
	closeOnce sync.Once
	done      chan struct{} // closed when the mount is gone and nothing runs any more
}

// Mount shows fs at dir, an existing directory, and returns when it answers. A
// mount that a dead process of ours left there is cleared first; anything else
// mounted there is fs.ErrExist. ctx ends the call, not the mount.
func Mount(ctx context.Context, dir string, tree *vfs.FS, opts Options) (*Server, error) {
	dir, err := resolve(dir)
	if err != nil {
		return nil, fmt.Errorf("mount: %w", err)
	}
	if err := clearPlace(ctx, dir); err != nil {
		return nil, err
	}
	log := opts.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Server{dir: dir, fs: tree, log: log, pruner: newPruner(), closing: make(chan struct{}), done: make(chan struct{})}
	s.backing.off = opts.NoPassthrough
	if err := s.start(ctx, opts); err != nil {
		return nil, fmt.Errorf("mount %s: %w", dir, err)
	}
	return s, nil
}

// clearPlace makes sure that nothing is mounted at dir.
func clearPlace(ctx context.Context, dir string) error {
	state, err := Check(ctx, dir)
	switch {
	case err != nil:
		return err
	case state == Dead:
		return Unmount(ctx, dir)
	case state != NotMounted:
		return &fs.PathError{Op: "mount", Path: dir, Err: fmt.Errorf("%w: something is mounted there (%v)", fs.ErrExist, state)}
	}
	return nil
}

func (s *Server) start(ctx context.Context, opts Options) error {
	a, err := s.fs.Root().Attr(ctx)
	if err != nil {
		return err
	}
	changes := s.fs.Watch() // before the kernel can learn anything
	root := &dirNode{s: s, n: s.fs.Root()}
	o := s.options(opts)
	o.RootStableAttr = &fusenode.StableAttr{Ino: a.Ino}
	raw := &bridge{RawFileSystem: fusenode.NewNodeFS(root, o), s: s}
	if s.fuse, err = fuse.NewServer(raw, s.dir, &o.MountOptions); err != nil {
		return err
	}
	watchCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	var watch sync.WaitGroup
	watch.Go(func() { s.follow(watchCtx, changes, root) })
	watch.Go(func() { s.pruner.run(watchCtx, &root.Inode) })
	go func() {
		defer close(s.done)
		s.fuse.Serve()
		stop()
		watch.Wait()
	}()
	if err := s.fuse.WaitMount(); err != nil {
		return errors.Join(err, s.Unmount(ctx))
	}
	s.tune()
	return nil
}

// negative is how long the kernel may believe that a name does not exist. New
// names of listings are notified; this is for names that only resolve.
const negative = time.Second

// options translates. Timeouts other than for absent names come with each
// reply: go-fuse replaces a reply's timeout of 0 by a default it has.
func (s *Server) options(opts Options) *fusenode.Options {
	absent := negative
	o := &fusenode.Options{NegativeTimeout: &absent}
	o.FsName, o.Name = fsName, fsName
	o.AllowOther = opts.AllowOther
	o.Options = []string{"default_permissions"}
	o.Debug = opts.Debug
	o.Logger = slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)
	o.IgnoreSecurityLabels = true
	o.EnableAcl = true // there are none, which the kernel then remembers: ls -l asks for each file's
	// Above 512 KiB a splice does not fit into the largest pipe.
	o.MaxWrite = 512 << 10
	o.MaxBackground, o.CongestionThreshold = 64, 48
	// 2 allows passthrough to files on overlayfs.
	o.MaxStackDepth = 2
	if os.Geteuid() == 0 {
		o.DirectMountStrict = true
		o.DirectMountFlags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_RDONLY
	} else {
		o.Options = append(o.Options, "ro")
	}
	return o
}

// tune raises the kernel's read-ahead, which INIT can't. Only root may, and
// all that depends on it is speed.
func (s *Server) tune() {
	m, err := find(s.dir)
	if err != nil || m == nil {
		s.log.Warn("mount not found in mountinfo", "path", s.dir, "err", err)
		return
	}
	s.conn = m.minor
	path := filepath.Join("/sys/class/bdi", fmt.Sprintf("%d:%d", m.major, m.minor), "read_ahead_kb")
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err == nil {
		_, err = io.WriteString(f, "1024")
		err = firstError(err, f.Close())
	}
	if err != nil {
		s.log.Debug("read-ahead stays at the default", "err", err)
	}
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Dir is where the tree is shown.
func (s *Server) Dir() string { return s.dir }

// Wait returns when the mount is gone, by Unmount or from outside, and nothing
// of the server runs any more.
func (s *Server) Wait() { <-s.done }

// Done is closed when Wait would return.
func (s *Server) Done() <-chan struct{} { return s.done }
