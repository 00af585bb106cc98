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

// A Config is what a daemon is made from. All fields but Ready and Idle must be set.
type Config struct {
	Workdir string        // absolute
	Runtime webui.Runtime // where the socket goes
	// Open gives the backend. It is called once the daemon's lock is held.
	Open func(ctx context.Context) (Backend, error)
	// Mount shows the backend's tree at a place, replacing what a dead daemon
	// left there, and returns when it answers.
	Mount func(ctx context.Context, b Backend, req webui.MountRequest) (Mount, error)
	// First is the first mount. The daemon fails when it does.
	First webui.MountRequest
	// Ready is called when the first mount answers. May be nil.
	Ready  func()
	Logger *slog.Logger
	// Idle is how often a daemon without mounts looks whether its jobs have
	// ended; 0 = a second.
	Idle time.Duration
}

// Run is a daemon's life: it locks the build directory, opens the backend,
// listens, mounts, and serves until ctx ends or until the last mount is gone
// and no job is left. Then it unmounts, ends the jobs and returns. A daemon
// that runs already is [webui.ErrRunning].
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
	s := newServer(cfg, backend)
	stop := s.serve(ctx, l)
	defer stop()
	defer s.unmountAll(ctx)
	if err := s.Mount(ctx, cfg.First); err != nil {
		return err
	}
	if cfg.Ready != nil {
		cfg.Ready()
	}
	s.untilIdle(ctx)
	return nil
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
		Handler:           webui.Handler(s),
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
// no mount is accepted from then on.
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
		if s.mountCount() == 0 && !s.busy(ctx) && s.refuseMounts(false) {
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
