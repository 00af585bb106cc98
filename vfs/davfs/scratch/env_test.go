package scratch_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cosafs/vfs/access"
	"cosafs/vfs/davfs/scratch"
)

const prefix = "/upload"

// A site is a collection that is served to anybody with one role.
type site struct {
	dir  string
	host string // HOST:PORT
	c    *scratch.Collection
	role access.Role
}

// serve opens a collection of a new directory, for builders.
func serve(t *testing.T, cfg scratch.Config) *site {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	return serveAs(t, cfg, access.Builder)
}

func serveAs(t *testing.T, cfg scratch.Config, role access.Role) *site {
	t.Helper()
	cfg.Prefix = prefix
	c, err := scratch.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{dir: cfg.Dir, c: c, role: role}
	srv := httptest.NewServer(s)
	s.host = srv.Listener.Addr().String()
	t.Cleanup(func() {
		srv.Close()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// ServeHTTP lets everybody in with the site's role; a header names him.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	who := access.Caller{Name: r.Header.Get("Test-User"), Addr: r.RemoteAddr, Role: s.role}
	s.c.ServeHTTP(w, r.WithContext(access.With(r.Context(), who)))
}

// url gives the URL of an escaped path below the collection.
func (s *site) url(path string) string { return "http://" + s.host + prefix + "/" + path }

// A reply is what a server said.
type reply struct {
	status int
	header http.Header
	body   string
}

// do sends a request; headers are pairs of names and values.
func (s *site) do(t *testing.T, method, path, body string, header ...string) reply {
	t.Helper()
	got, err := s.try(t.Context(), method, path, strings.NewReader(body), header...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return got
}

// try is do for requests that may fail.
func (s *site) try(ctx context.Context, method, path string, body io.Reader, header ...string) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.url(path), body)
	if err != nil {
		return reply{}, err
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = resp.Body.Close() }() // it was read to its end, or failed
	text, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(text)}, err
}

// want sends a request and checks its status.
func (s *site) want(t *testing.T, status int, method, path, body string, header ...string) reply {
	t.Helper()
	got := s.do(t, method, path, body, header...)
	if got.status != status {
		t.Fatalf("%s %s: %d %q, want %d", method, path, got.status, got.body, status)
	}
	return got
}

// raw sends bytes as they are, and gives the connection.
func (s *site) raw(t *testing.T, text string) net.Conn {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", s.host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // a test may have closed it
	if _, err := io.Copy(conn, bytes.NewReader([]byte(text))); err != nil {
		t.Fatal(err)
	}
	return conn
}
