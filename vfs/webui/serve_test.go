package webui_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"testing"

	"cosafs/materialize"
	"cosafs/vfs/access"
	"cosafs/vfs/webui"
)

// A door is open for as long as its client wants.
func TestServe(t *testing.T) {
	f := newFake()
	f.block = true
	c := dial(t, opener{f})
	ctx, leave := context.WithCancel(t.Context())
	opened, closed := make(chan webui.ServeInfo), make(chan error)
	go func() {
		closed <- c.Serve(ctx, webui.ServeRequest{Addr: "a:1"}, func(info webui.ServeInfo) { opened <- info })
	}()
	same(t, "opened", webui.ServeInfo{URLs: []string{"http://a:1"}}, <-opened)
	select {
	case err := <-closed:
		t.Fatalf("closed by itself: %v", err)
	case <-f.entered:
	}
	leave()
	if err := <-closed; err != nil {
		t.Errorf("Serve = %v after its ctx ended, want nothing", err)
	}
	<-f.ended // the daemon's side, too
}

// A door that stays is open when the call returns; another one that closes is an
// error for who wanted it.
func TestServeStays(t *testing.T) {
	c := dial(t, opener{newFake()})
	var told webui.ServeInfo
	ok(t, c.Serve(t.Context(), webui.ServeRequest{Addr: "b", Stay: true}, func(info webui.ServeInfo) { told = info }))
	same(t, "told", webui.ServeInfo{URLs: []string{"http://b"}}, told)
	if err := c.Serve(t.Context(), webui.ServeRequest{Addr: "b"}, func(webui.ServeInfo) {}); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a door that closed by itself: %v, want fs.ErrClosed", err)
	}
}

func TestServeFails(t *testing.T) {
	f := newFake()
	c := dial(t, opener{f})
	f.fail = materialize.Fail(materialize.ClassConfig, "serve", "log in", fs.ErrPermission)
	err := c.Serve(t.Context(), webui.ServeRequest{Addr: "a"}, func(webui.ServeInfo) { t.Error("it is open") })
	if _, hint := materialize.ClassOf(err); !errors.Is(err, fs.ErrPermission) || hint != "log in" {
		t.Errorf("Serve = %v with hint %q", err, hint)
	}
	if err := dial(t, newFake()).Serve(t.Context(), webui.ServeRequest{}, nil); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("Serve where there are no doors: %v, want fs.ErrInvalid", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := dial(t, opener{newFake()}).Serve(ctx, webui.ServeRequest{}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Serve with an ended ctx: %v, want context.Canceled", err)
	}
}

// Who comes over a network opens no doors, whoever he is.
func TestServeIsForTheSocket(t *testing.T) {
	f := newFake()
	failed(t, ask(t, webui.Handler(opener{f}), access.Admin, "POST", "/v1/serve", `{"addr":"a"}`), http.StatusForbidden)
	if len(f.calls()) != 0 {
		t.Errorf("calls %q", f.calls())
	}
}
