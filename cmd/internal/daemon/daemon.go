// Package daemon keeps one process a build directory: it holds the mounts,
// answers on the unix socket, and ends when there is nothing left to show or
// to make. It knows how to start such a process in the background, how to find
// one, and how to end with every mount taken away. What it serves is given to
// it; it is neither a file system nor a builder.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"cosafs/vfs/webui"
)

// Shutdown's bounds. Whatever takes longer is left to the end of the process,
// which the kernel cleans up.
const (
	drainTime   = 5 * time.Second  // for requests that are being answered
	unmountTime = 10 * time.Second // for each mount
	closeTime   = 30 * time.Second // for jobs: a VM has to be told, and waited for
)

// A Backend is what the daemon serves.
type Backend interface {
	webui.Service
	webui.Keeper
	webui.Compressor
	webui.Remaker
	// Close ends the jobs and lets go of the build directory.
	Close(ctx context.Context) error
}

// A Mount is one place that shows the tree.
type Mount interface {
	// Wait returns when the mount is gone, whoever took it away.
	Wait()
	// Unmount takes it away, detaching it where it is busy.
	Unmount(ctx context.Context) error
}

// A Config is what a daemon is made from. All fields but Ready and Idle must
// be set, and one of First and Door.
type Config struct {
	Workdir string        // absolute
	Runtime webui.Runtime // where the socket goes
	// Open gives the backend. It is called once the daemon's lock is held.
	Open func(ctx context.Context) (Backend, error)
	// Mount shows the backend's tree at a place, replacing what a dead daemon
	// left there, and returns when it answers.
	Mount func(ctx context.Context, b Backend, req webui.MountRequest) (Mount, error)
	// First is the first mount. The daemon fails when it does. nil = none: then the
	// daemon lives for its first door.
	First *webui.MountRequest
	// Serve opens remote doors of the backend, tells tell once where, and keeps them
	// open until ctx ends.
	Serve func(ctx context.Context, b Backend, req webui.ServeRequest, tell func(webui.ServeInfo)) error
	// Door is the first remote door. The daemon fails when it does. nil = none.
	Door *webui.ServeRequest
	// Ready is called when the first mount and the first door answer, with what the
	// door answers to. May be nil.
	Ready  func(webui.ServeInfo)
	Logger *slog.Logger
	// Idle is how often a daemon without mounts looks whether its jobs have
	// ended; 0 = a second.
	Idle time.Duration
}

// Run is a daemon's life: it locks the build directory, opens the backend,
// listens, mounts, opens the remote door, and serves until ctx ends or until the
// last mount is gone and no job is left. Then it unmounts, ends the jobs and
// returns. A daemon that runs already is [webui.ErrRunning].
func Run(ctx context.Context, cfg Config) (err error) {
	if cfg.Idle == 0 {
		cfg.Idle = time.Second
	}
	lock, err := takeLock(ctx, cfg.Workdir, cfg.Runtime)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	backend, err := cfg.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeBackend(ctx, backend)) }()
	l, err := cfg.Runtime.Listen(ctx, cfg.Workdir)
	if err != nil {
		return err
	}
	s := newServer(ctx, cfg, backend)
	stop := s.serve(ctx, l)
	defer stop()
	defer s.unmountAll(ctx)
	defer s.closeDoors()
	info, err := s.openFirst(ctx)
	if err != nil {
		return err
	}
	if cfg.Ready != nil {
		cfg.Ready(info)
	}
	if cfg.First == nil {
		return s.untilClosed(ctx)
	}
	s.untilIdle(ctx)
	return nil
}

// openFirst shows the tree at the places that the daemon was made for.
func (s *server) openFirst(ctx context.Context) (info webui.ServeInfo, err error) {
	if s.cfg.First != nil {
		if err := s.Mount(ctx, *s.cfg.First); err != nil {
			return info, err
		}
	}
	if s.cfg.Door != nil {
		err = s.stay(ctx, *s.cfg.Door, func(i webui.ServeInfo) { info = i })
	}
	return info, err
}

// closeBackend ends the jobs, also when ctx has ended: that is why it is called.
func closeBackend(ctx context.Context, b Backend) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	if err := b.Close(ctx); err != nil {
		return fmt.Errorf("close build directory: %w", err)
	}
	return nil
}

// serve answers on l until stop is called. Requests end with ctx.
func (s *server) serve(ctx context.Context, l net.Listener) (stop func()) {
	srv := &http.Server{
		Handler:           webui.Local(webui.Handler(s)),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelWarn),
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.cfg.Logger.Error("socket", "err", err)
		}
	}()
	return func() {
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		if err := srv.Shutdown(drain); err != nil {
			_ = srv.Close() // who did not finish in time is cut off
		}
		<-done
	}
}

// untilIdle returns when ctx ends, or when no mount is left and no job either;
// nothing is accepted from then on.
func (s *server) untilIdle(ctx context.Context) {
	tick := time.NewTicker(s.cfg.Idle)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.changed:
		case <-tick.C:
		}
		if s.shows() == 0 && !s.busy(ctx) && s.refuse(false) {
			return
		}
	}
}

// busy says whether a job waits or runs.
func (s *server) busy(ctx context.Context) bool {
	jobs, err := s.Jobs(ctx)
	if err != nil {
		s.cfg.Logger.Error("list jobs", "err", err)
		return false
	}
	for _, j := range jobs {
		if j.Active() {
			return true
		}
	}
	return false
}
