package daemon

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"

	"cosafs/vfs/webui"
)

var (
	_ webui.Service = (*server)(nil)
	_ webui.Mounter = (*server)(nil)
	_ webui.Opener  = (*server)(nil)
)

// A server is the backend with its mounts and its remote doors.
type server struct {
	Backend
	cfg     Config
	changed chan struct{}  // holds a token when a mount went away
	waiters sync.WaitGroup // one a mount

	mounting sync.Mutex // held while mounting, so that one place is mounted once
	staying  stayers

	mu     sync.Mutex
	mounts map[string]Mount // by place; guarded by mu
	urls   map[string]int   // of open doors; guarded by mu
	doors  int              // that are open for as long as their callers wait; guarded by mu
	ending bool             // no more mounts and doors; guarded by mu
}

func newServer(ctx context.Context, cfg Config, b Backend) *server {
	s := &server{Backend: b, cfg: cfg, changed: make(chan struct{}, 1), mounts: map[string]Mount{}, urls: map[string]int{}}
	s.staying.init(ctx)
	return s
}

// Status is the backend's with the mounts, the doors and who keeps them.
func (s *server) Status(ctx context.Context) (webui.Status, error) {
	st, err := s.Backend.Status(ctx)
	if err != nil {
		return st, err
	}
	st.PID = os.Getpid()
	s.mu.Lock()
	defer s.mu.Unlock()
	for dir := range s.mounts {
		st.Mounts = append(st.Mounts, dir)
	}
	slices.Sort(st.Mounts)
	st.Serving, st.Held = slices.Sorted(maps.Keys(s.urls)), s.doors
	if s.cfg.First == nil { // a command that serves is the daemon
		st.Held++
	}
	return st, nil
}

// Mount shows the tree at req.Dir; see [webui.Mounter].
func (s *server) Mount(ctx context.Context, req webui.MountRequest) error {
	s.mounting.Lock()
	defer s.mounting.Unlock()
	if known, err := s.admit(req.Dir); known || err != nil {
		return err
	}
	// The mount outlives the request that asked for it, but not the daemon.
	m, err := s.cfg.Mount(context.WithoutCancel(ctx), s.Backend, req)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.mounts[req.Dir] = m
	s.mu.Unlock()
	s.cfg.Logger.Info("mounted", "path", req.Dir)
	s.waiters.Go(func() {
		m.Wait()
		s.forget(req.Dir)
	})
	return nil
}

// admit says whether dir shows the tree already, and refuses when the daemon ends.
func (s *server) admit(dir string) (known bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending {
		return false, fmt.Errorf("mount %s: the daemon is ending: %w", dir, fs.ErrClosed)
	}
	_, known = s.mounts[dir]
	return known, nil
}

// forget drops a mount that is gone.
func (s *server) forget(dir string) {
	s.mu.Lock()
	delete(s.mounts, dir)
	s.mu.Unlock()
	s.cfg.Logger.Info("unmounted", "path", dir)
	s.wake()
}

// wake has untilIdle look again.
func (s *server) wake() {
	select {
	case s.changed <- struct{}{}:
	default: // a token waits already
	}
}

// Unmount takes the tree away from dir; see [webui.Mounter].
func (s *server) Unmount(ctx context.Context, dir string) error {
	s.mu.Lock()
	m, ok := s.mounts[dir]
	s.mu.Unlock()
	if !ok {
		return fmt.Errorf("unmount %s: not mounted by this daemon: %w", dir, fs.ErrNotExist)
	}
	return m.Unmount(ctx)
}

// unmountAll takes every mount away and waits until all are gone, or until
// their time is up. It works when ctx has ended: that is why it is called.
func (s *server) unmountAll(ctx context.Context) {
	s.refuse(true)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unmountTime)
	defer cancel()
	s.mu.Lock()
	left := make(map[string]Mount, len(s.mounts))
	for dir, m := range s.mounts {
		left[dir] = m
	}
	s.mu.Unlock()
	var all sync.WaitGroup
	for dir, m := range left {
		all.Go(func() {
			if err := m.Unmount(ctx); err != nil {
				s.cfg.Logger.Error("unmount", "path", dir, "err", err)
			}
		})
	}
	all.Wait()
	if !waitFor(ctx, &s.waiters) {
		s.cfg.Logger.Error("mounts left behind", "count", s.shows())
	}
}

// waitFor waits for wg as long as ctx lets it. The goroutine that is left
// behind otherwise ends with the process, which is about to.
func waitFor(ctx context.Context, wg *sync.WaitGroup) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		wg.Wait()
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

// refuse ends the accepting of mounts and doors, once one that is being made is
// there. Without force it does so only where none is left, and says whether.
func (s *server) refuse(force bool) bool {
	s.mounting.Lock()
	defer s.mounting.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ending = s.ending || force || len(s.mounts)+s.doors == 0
	return s.ending
}

// shows counts what the daemon goes on for.
func (s *server) shows() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.mounts) + s.doors
}
