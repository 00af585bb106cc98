package daemon

import (
	"context"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"sync"

	"cosafs/vfs/webui"
)

// Serve opens remote doors; see [webui.Opener]. They are of the backend alone: who
// comes over a network has no business with this machine's mounts.
func (s *server) Serve(ctx context.Context, req webui.ServeRequest, tell func(webui.ServeInfo)) error {
	if req.Stay {
		return s.stay(ctx, req, tell)
	}
	if err := s.admitDoor(req); err != nil {
		return err
	}
	defer s.forgetDoor(req)
	return s.open(ctx, req, tell)
}

// open opens a door, and notes where for as long as it is open.
func (s *server) open(ctx context.Context, req webui.ServeRequest, tell func(webui.ServeInfo)) error {
	var opened webui.ServeInfo
	err := s.cfg.Serve(ctx, s.Backend, req, func(info webui.ServeInfo) {
		opened = info
		s.note(info, +1)
		tell(info)
	})
	s.note(opened, -1)
	return err
}

// note counts the doors at each URL.
func (s *server) note(info webui.ServeInfo, by int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, url := range info.URLs {
		if s.urls[url] += by; s.urls[url] == 0 {
			delete(s.urls, url)
		}
	}
}

// admitDoor counts a door in, and refuses when the daemon ends.
func (s *server) admitDoor(req webui.ServeRequest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending {
		return fmt.Errorf("serve %s: the daemon is ending: %w", req.Addr, fs.ErrClosed)
	}
	s.doors++
	return nil
}

func (s *server) forgetDoor(req webui.ServeRequest) {
	s.mu.Lock()
	s.doors--
	s.mu.Unlock()
	s.cfg.Logger.Info("closed", "addr", req.Addr)
	s.wake()
}

// stayers are the doors that live as long as the daemon.
type stayers struct {
	life  context.Context // ends with the daemon, not with the request that opened the door
	close context.CancelFunc
	doors sync.WaitGroup
	ended chan error // the first of them that ended by itself, with its error

	opening sync.Mutex // held while one is opened, so that one address is opened once
	open    []stayer   // guarded by opening
}

type stayer struct {
	req  webui.ServeRequest
	info webui.ServeInfo
}

func (d *stayers) init(ctx context.Context) {
	d.life, d.close = context.WithCancel(ctx)
	d.ended = make(chan error, 1)
}

// stay opens a door that lives as long as the daemon. One that is open already
// under the same conditions is success.
func (s *server) stay(ctx context.Context, req webui.ServeRequest, tell func(webui.ServeInfo)) error { //nolint:contextcheck // the door outlives the request that opened it
	req.Stay = true
	d := &s.staying
	d.opening.Lock()
	defer d.opening.Unlock()
	for _, known := range d.open {
		if same(known.req, req) {
			tell(known.info)
			return nil
		}
	}
	opened, failed := make(chan webui.ServeInfo, 1), make(chan error, 1)
	life, giveUp := context.WithCancel(d.life)
	d.doors.Go(func() {
		defer giveUp()
		failed <- s.open(life, req, func(info webui.ServeInfo) { opened <- info })
	})
	select {
	case info := <-opened:
		d.open = append(d.open, stayer{req, info})
		s.cfg.Logger.Info("serving", "urls", info.URLs)
		d.doors.Go(func() { s.watchDoor(req, <-failed) })
		tell(info)
		return nil
	case err := <-failed:
		return err
	case <-ctx.Done():
		giveUp()
		return context.Cause(ctx)
	}
}

// same says whether two doors are opened under the same conditions. A list without
// entries is none: which of the two it is gets lost on the way to the daemon.
func same(a, b webui.ServeRequest) bool {
	if !slices.Equal(a.Grants, b.Grants) || !slices.Equal(a.Hosts, b.Hosts) {
		return false
	}
	a.Grants, a.Hosts, b.Grants, b.Hosts = nil, nil, nil, nil
	return reflect.DeepEqual(a, b)
}

// watchDoor notes that a door ended, which only the daemon's end should do.
func (s *server) watchDoor(req webui.ServeRequest, err error) {
	if s.staying.life.Err() != nil {
		return
	}
	s.cfg.Logger.Error("door closed", "addr", req.Addr, "err", err)
	select {
	case s.staying.ended <- err:
	default: // one is enough
	}
}

// untilClosed returns when ctx ends, or with the error that ended the door.
func (s *server) untilClosed(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.staying.ended:
		return err
	}
}

// closeDoors closes the doors that stayed, and waits until they are.
func (s *server) closeDoors() {
	s.refuse(true)
	s.staying.close()
	s.staying.doors.Wait()
}
