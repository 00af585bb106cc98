package daemon_test

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"testing"

	"cosafs/cmd/internal/daemon"
	"cosafs/vfs/webui"
)

// serve is a door that is open until ctx ends; address "taken" never opens.
func (w *world) serve(ctx context.Context, _ daemon.Backend, req webui.ServeRequest, tell func(webui.ServeInfo)) error {
	if req.Addr == "taken" {
		return fs.ErrExist
	}
	tell(webui.ServeInfo{URLs: []string{"http://" + req.Addr}})
	<-ctx.Done()
	return nil
}

func TestDaemonForADoorAlone(t *testing.T) {
	w := newWorld(t)
	w.cfg.First, w.cfg.Door = nil, &webui.ServeRequest{Addr: "a"}
	ctx, cancel := context.WithCancel(t.Context())
	c := w.start(t, ctx)
	if !slices.Equal(w.info.URLs, []string{"http://a"}) {
		t.Errorf("ready with %q", w.info.URLs)
	}
	if st, err := c.Status(t.Context()); err != nil || !slices.Equal(st.Serving, w.info.URLs) {
		t.Errorf("Status = %+v, %v, want the door", st, err)
	}
	// A mount that comes and goes does not end it.
	dir := t.TempDir()
	if err := errors.Join(c.Mount(t.Context(), webui.MountRequest{Dir: dir}), c.Unmount(t.Context(), dir)); err != nil {
		t.Error(err)
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Errorf("after the mount went: %v", err)
	}
	cancel()
	w.wait(t)
}

func TestFirstDoorFails(t *testing.T) {
	w := newWorld(t)
	w.cfg.Door = &webui.ServeRequest{Addr: "taken"}
	if err := daemon.Run(t.Context(), w.cfg); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Run: %v, want fs.ErrExist", err)
	}
	if !w.backend.isClosed() {
		t.Error("the backend was not closed")
	}
	for dir, m := range w.mounts {
		select {
		case <-m.gone:
		default:
			t.Errorf("%s is still mounted", dir)
		}
	}
}

// A door that stays does not keep the daemon alive; one whose caller waits does.
func TestDoorsOfARunningDaemon(t *testing.T) {
	w := newWorld(t)
	c := w.start(t, t.Context())
	var infos []webui.ServeInfo
	stay := webui.ServeRequest{Addr: "b", Stay: true}
	for range 2 { // the second time it is open already
		if err := c.Serve(t.Context(), stay, func(i webui.ServeInfo) { infos = append(infos, i) }); err != nil {
			t.Fatal(err)
		}
	}
	if len(infos) != 2 || infos[1].URLs[0] != "http://b" {
		t.Errorf("told %v", infos)
	}
	if err := c.Serve(t.Context(), webui.ServeRequest{Addr: "taken"}, nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Serve on a taken address: %v, want fs.ErrExist", err)
	}
	ctx, leave := context.WithCancel(t.Context())
	open, left := make(chan struct{}), make(chan error)
	go func() {
		left <- c.Serve(ctx, webui.ServeRequest{Addr: "c"}, func(webui.ServeInfo) { close(open) })
	}()
	<-open
	w.byHand(t, w.cfg.First.Dir)
	if _, err := c.Status(t.Context()); err != nil {
		t.Errorf("while a door is open: %v", err)
	}
	leave()
	if err := <-left; err != nil {
		t.Errorf("Serve: %v", err)
	}
	w.wait(t)
}

// The door that a daemon was started with is known again when somebody asks for it:
// empty lists, which the socket loses, make no other door of it.
func TestFirstDoorIsKnown(t *testing.T) {
	w := newWorld(t)
	w.cfg.Door = &webui.ServeRequest{Addr: "a", Grants: []string{}, Hosts: []string{}}
	opened := make(chan string, 3)
	w.cfg.Serve = func(ctx context.Context, b daemon.Backend, req webui.ServeRequest, tell func(webui.ServeInfo)) error {
		opened <- req.Addr
		return w.serve(ctx, b, req, tell)
	}
	ctx, cancel := context.WithCancel(t.Context())
	c := w.start(t, ctx)
	again := webui.ServeRequest{Addr: "a", Stay: true}
	other := webui.ServeRequest{Addr: "a", Stay: true, Grants: []string{"ci=builder"}}
	for _, req := range []webui.ServeRequest{again, other, again} {
		if err := c.Serve(t.Context(), req, func(webui.ServeInfo) {}); err != nil {
			t.Error(err)
		}
	}
	if n := len(opened); n != 2 {
		t.Errorf("opened %d times, want one for each of two conditions", n)
	}
	cancel()
	w.wait(t)
}

// A door that a client opens over the socket is open until he goes, and he has
// every right there.
func TestDoorOfAClient(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	c := w.start(t, ctx)
	life, leave := context.WithCancel(t.Context())
	opened, closed := make(chan webui.ServeInfo), make(chan error)
	go func() {
		closed <- c.Serve(life, webui.ServeRequest{Addr: "b"}, func(info webui.ServeInfo) { opened <- info })
	}()
	select {
	case info := <-opened:
		if st, err := c.Status(t.Context()); err != nil || !slices.Equal(st.Serving, info.URLs) {
			t.Errorf("Status = %+v, %v, want %v", st, err, info.URLs)
		}
	case err := <-closed:
		t.Fatal(err)
	}
	leave()
	if err := <-closed; err != nil {
		t.Errorf("Serve: %v", err)
	}
	for { // the daemon sees that he has gone
		st, err := c.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(st.Serving) == 0 {
			break
		}
	}
	if err := c.Serve(t.Context(), webui.ServeRequest{Addr: "taken"}, nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Serve at a place in use: %v, want fs.ErrExist", err)
	}
	cancel()
	w.wait(t)
}
