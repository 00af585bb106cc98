package webstore_test

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/backend"
	"cosafs/backend/webstore"
)

// Credentials reach the store's server, and no other to which it redirects, not
// even on the same machine. What is asked for goes along.
func TestCredentials(t *testing.T) {
	var own, foreign http.Header
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		foreign = r.Header.Clone()
		file(w, r, "ETag", `"1"`)
	}))
	t.Cleanup(other.Close)
	first := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		own = r.Header.Clone()
		http.Redirect(w, r, other.URL+"/elsewhere", http.StatusFound)
	}))
	t.Cleanup(first.Close)
	netrc := filepath.Join(t.TempDir(), "netrc")
	if err := os.WriteFile(netrc, []byte("machine 127.0.0.1 login joe password secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	withUser := strings.Replace(first.URL, "http://", "http://ann:pw@", 1)
	for _, c := range []struct {
		want string
		cfg  webstore.Config
	}{
		{"", webstore.Config{URL: first.URL}},
		{"Basic am9lOnNlY3JldA==", webstore.Config{URL: first.URL, Netrc: netrc}},
		{"Basic YW5uOnB3", webstore.Config{URL: withUser, Netrc: netrc}},
		{"Bearer token", webstore.Config{URL: withUser + "?sig=secret", Netrc: netrc, Bearer: "token"}},
	} {
		s := open(t, c.cfg)
		got, err := read(t, s, "a", backend.Range{Off: 3, Len: 2}, `"1"`)
		if err != nil || got != "34" {
			t.Errorf("%s: read %q, %v", c.want, got, err)
		}
		if got := own.Get("Authorization"); got != c.want {
			t.Errorf("the store's server was sent %q; want %q", got, c.want)
		}
		if foreign.Get("Authorization") != "" || foreign.Get("Referer") != "" {
			t.Errorf("%s: another server was sent %v", c.want, foreign)
		}
		if foreign.Get("Range") != "bytes=3-4" || foreign.Get("If-Match") != `"1"` || foreign.Get("Accept-Encoding") != "identity" {
			t.Errorf("another server was asked with %v", foreign)
		}
	}
}

// Errors tell no secrets, and name the server that failed.
func TestErrorsTellNoSecrets(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	t.Cleanup(other.Close)
	first := httptest.NewServer(http.RedirectHandler(other.URL+"/x?sig=secret", http.StatusTemporaryRedirect))
	u := strings.Replace(first.URL, "http://", "http://joe:secret@", 1) + "/p?sig=secret"
	s := open(t, webstore.Config{URL: u, Bearer: "secret"})
	_, redirected := s.Stat(t.Context(), "a")
	if host := strings.TrimPrefix(other.URL, "http://"); redirected == nil || !strings.Contains(redirected.Error(), host) {
		t.Errorf("Stat: %v; want the name of %s", redirected, host)
	}
	first.Close()
	_, gone := s.Stat(t.Context(), "a")
	_, nofile := webstore.Open(webstore.Config{URL: u, CAFile: "/no/such/file"})
	for _, err := range []error{redirected, gone, nofile} {
		if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), first.URL+"/p") {
			t.Errorf("%v; want an error with the store's name and no secret", err)
		}
	}
}

func TestRedirects(t *testing.T) {
	for _, c := range []struct {
		redirects int
		works     bool
	}{{1, true}, {10, true}, {11, false}} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			n := 0
			if step := r.URL.Query().Get("step"); step != "" {
				if _, err := fmt.Sscan(step, &n); err != nil {
					t.Error(err)
				}
			}
			if n < c.redirects {
				http.Redirect(w, r, fmt.Sprintf("/s?step=%d", n+1), http.StatusMovedPermanently)
				return
			}
			file(w, r)
		})
		if !c.works {
			bothFail(t, fmt.Sprint(c.redirects, " redirects"), s, "a", nil)
		} else if got, err := read(t, s, "a", whole, ""); err != nil || got != "0123456789" {
			t.Errorf("%d redirects: read %q, %v", c.redirects, got, err)
		}
	}
}

// A server that adds a slash has a directory there; one that sends to a login, which
// may end in a slash too, has said nothing.
func TestRedirectToDirectory(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/builds/dir":
			http.Redirect(w, r, "/builds/dir/", http.StatusMovedPermanently)
		case "/builds/file":
			http.Redirect(w, r, "/login/", http.StatusFound)
		default:
			w.Header().Set("Content-Type", "text/html")
		}
	})
	bothFail(t, "a directory", s, "dir", fs.ErrNotExist)
	bothFail(t, "a login", s, "file", nil)
}

// A server with a certificate of its own is trusted if its authority is named, and
// never one without any.
func TestOwnAuthority(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { file(w, r) }))
	t.Cleanup(plain.Close)
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/moved") {
			http.Redirect(w, r, plain.URL, http.StatusFound)
			return
		}
		file(w, r)
	}))
	t.Cleanup(secure.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	writePEM(t, ca, "CERTIFICATE", secure.Certificate().Raw)

	bothFail(t, "a stranger", open(t, webstore.Config{URL: secure.URL}), "a", nil)
	s := open(t, webstore.Config{URL: secure.URL, CAFile: ca})
	if got, err := read(t, s, "a", whole, ""); err != nil || got != "0123456789" {
		t.Errorf("read %q, %v", got, err)
	}
	bothFail(t, "a redirect to http", s, "moved", nil)

	for file, want := range map[string]error{filepath.Join(t.TempDir(), "none"): fs.ErrNotExist, os.Args[0]: fs.ErrInvalid} {
		if _, err := webstore.Open(webstore.Config{URL: secure.URL, CAFile: file}); !errors.Is(err, want) {
			t.Errorf("authorities from %s: %v; want %v", file, err, want)
		}
	}
	if _, err := webstore.Open(webstore.Config{URL: secure.URL, Netrc: filepath.Join(t.TempDir(), "none")}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("passwords from a file that is not there: %v", err)
	}
}

func writePEM(t *testing.T, file, kind string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600); err != nil {
		t.Fatal(err)
	}
}
