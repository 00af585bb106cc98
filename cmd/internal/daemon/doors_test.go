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
