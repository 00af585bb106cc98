package remote_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"cosafs/cmd/internal/remote"
	"cosafs/test/certstest"
)

// secure makes a server that speaks TLS, and what its clients need.
func secure(t *testing.T) (*world, *certstest.CA) {
	t.Helper()
	ca := certstest.NewCA(t, "ca")
	w := newWorld(t)
	w.cfg.Cert, w.cfg.Key = ca.Issue(t, "server")
	return w, ca
}

func TestTLS(t *testing.T) {
	w, ca := secure(t)
	w.cfg.ClientCA, w.cfg.Grants = ca.File(t), []string{"ann=builder"}
	w.doors.Files = http.HandlerFunc(tellCaller)
	w.start()
	for name, want := range map[string]string{"": "403", "ann": "ann builder", "bob": "bob reader"} {
		tr := &http.Transport{TLSClientConfig: ca.Client(t, name)}
		resp, body := w.doBy(tr, w.request(http.MethodGet, "/", nil))
		tr.CloseIdleConnections()
		if resp.StatusCode != http.StatusOK {
			body = fmt.Sprint(resp.StatusCode)
		}
		if body != want {
			t.Errorf("%q = %s, want %s", name, body, want)
		}
	}
	if resp, _ := w.doBy(http.DefaultTransport, w.plainly()); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("http instead of https = %s", resp.Status)
	}
}

// plainly is a request by the wrong scheme.
func (w *world) plainly() *http.Request {
	r := w.request(http.MethodGet, "/", nil)
	r.URL.Scheme = "http"
	return r
}

// HTTP/2 ends a stream whose deadline passes, even where nothing is moved; a wait
// must have none. And who is too much is told there, too.
func TestHTTP2(t *testing.T) {
	const stall = 50 * time.Millisecond
	w, ca := secure(t)
	w.cfg.MaxConns = 1
	w.tune = func(s *remote.Server) { s.Stall(stall) }
	w.doors.Files = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "built ")
		_ = http.NewResponseController(w).Flush() // the client sees it
		select {
		case <-time.After(4 * stall):
		case <-r.Context().Done():
		}
		_, _ = fmt.Fprint(w, r.ProtoMajor)
	})
	w.start()
	client := func() *http.Transport {
		tr := &http.Transport{TLSClientConfig: ca.Client(t, ""), Protocols: new(http.Protocols)}
		tr.Protocols.SetHTTP2(true)
		t.Cleanup(tr.CloseIdleConnections)
		return tr
	}
	first := client()
	for range 2 {
		if _, body := w.doBy(first, w.request(http.MethodGet, "/", nil)); body != "built 2" {
			t.Errorf("got %q", body)
		}
	}
	if resp, _ := w.doBy(client(), w.request(http.MethodGet, "/", nil)); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one too many = %s", resp.Status)
	}
}
