package webstore_test

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cosafs/backend"
	"cosafs/backend/webstore"
)

// open gives a store over a handler.
func open(t *testing.T, cfg webstore.Config, h http.HandlerFunc) *webstore.Store {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	cfg.URL = srv.URL + "/builds"
	s, err := webstore.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// read reads a range of "a" in a version.
func read(t *testing.T, s backend.Store, off, n int64, version string) (string, error) {
	t.Helper()
	body, err := s.Open(t.Context(), "a", backend.Range{Off: off, Len: n}, version)
	if err != nil {
		return "", err
	}
	data, err := io.ReadAll(body)
	if cerr := body.Close(); cerr != nil {
		t.Errorf("Close: %v", cerr)
	}
	return string(data), err
}

func TestServerThatIgnoresRanges(t *testing.T) {
	s := open(t, webstore.Config{}, func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Range")
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Content-Length", "10")
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, "0123456789")
		}
	})
	if got, err := read(t, s, 3, 4, `"1"`); err != nil || got != "3456" {
		t.Errorf("read %q, %v", got, err)
	}
	if _, err := read(t, s, 3, 4, `"2"`); !errors.Is(err, backend.ErrChanged) {
		t.Errorf("another version: %v; want ErrChanged", err)
	}
	if _, err := read(t, s, 3, 40, ""); !errors.Is(err, backend.ErrRange) {
		t.Errorf("past the end: %v; want ErrRange", err)
	}
}

// What a server answers tells absence only if it says so.
func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		status int
		want   error // nil: none of the sentinels
	}{
		{404, fs.ErrNotExist}, {410, fs.ErrNotExist}, {401, fs.ErrPermission}, {403, fs.ErrPermission},
		{400, nil}, {407, nil}, {429, nil}, {500, nil}, {502, nil}, {503, nil}, {504, nil},
	} {
		s := open(t, webstore.Config{}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(c.status) })
		_, statErr := s.Stat(t.Context(), "a")
		_, openErr := read(t, s, 0, 1, "")
		for _, err := range []error{statErr, openErr} {
			if err == nil || c.want != nil && !errors.Is(err, c.want) || c.want == nil && backend.Final(err) {
				t.Errorf("status %d: %v", c.status, err)
			}
		}
	}
}

// Files that are not what is stored are refused by name, not served.
func TestNotTheFile(t *testing.T) {
	for name, set := range map[string]func(http.Header){
		"gzip":        func(h http.Header) { h.Set("Content-Encoding", "gzip") },
		"a login":     func(h http.Header) { h.Set("Content-Type", "text/html; charset=utf-8") },
		"other range": func(h http.Header) { h.Set("Content-Range", "bytes 1-4/10") },
		"odd range":   func(h http.Header) { h.Set("Content-Range", "bytes 9-4/10") },
	} {
		s := open(t, webstore.Config{}, func(w http.ResponseWriter, r *http.Request) {
			set(w.Header())
			if w.Header().Get("Content-Range") != "" {
				w.WriteHeader(http.StatusPartialContent)
			}
			_, _ = io.WriteString(w, "0123")
		})
		if got, err := read(t, s, 0, 4, ""); err == nil || backend.Final(err) {
			t.Errorf("%s: read %q, %v", name, got, err)
		}
	}
}

// Without a strong ETag date and size are the version; a weak one pins nothing.
func TestVersionWithoutETag(t *testing.T) {
	date := time.Unix(1_700_000_000, 0)
	s := open(t, webstore.Config{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `W/"weak"`)
		http.ServeContent(w, r, "", date, strings.NewReader("0123456789"))
	})
	info, err := s.Stat(t.Context(), "a")
	if err != nil || info.Version == "" || info.Size != 10 || !info.ModTime.Equal(date) {
		t.Fatalf("Stat = %+v, %v", info, err)
	}
	if got, err := read(t, s, 2, 3, info.Version); err != nil || got != "234" {
		t.Errorf("read %q, %v", got, err)
	}
	date = date.Add(time.Hour)
	if _, err := read(t, s, 2, 3, info.Version); !errors.Is(err, backend.ErrChanged) {
		t.Errorf("after a change: %v; want ErrChanged", err)
	}
}

func TestServerWithoutHead(t *testing.T) {
	s := open(t, webstore.Config{}, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("ETag", `"1"`)
		http.ServeContent(w, r, "", time.Unix(1, 0), strings.NewReader("0123456789"))
	})
	if info, err := s.Stat(t.Context(), "a"); err != nil || info.Size != 10 || info.Version != `"1"` {
		t.Errorf("Stat = %+v, %v", info, err)
	}
}

// Credentials reach the store's host and nobody to whom it sends us on; the range
// goes along.
func TestCredentials(t *testing.T) {
	var seen, asked string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen, asked = r.Header.Get("Authorization"), r.Header.Get("Range")
		http.ServeContent(w, r, "", time.Unix(1, 0), strings.NewReader("0123456789"))
	}))
	defer other.Close()
	var first string
	send := func(w http.ResponseWriter, r *http.Request) {
		first = r.Header.Get("Authorization")
		http.Redirect(w, r, other.URL+"/x", http.StatusFound)
	}
	file := filepath.Join(t.TempDir(), "netrc")
	if err := os.WriteFile(file, []byte("machine 127.0.0.1 login joe password secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, cfg := range map[string]webstore.Config{"Bearer token": {Bearer: "token"}, "Basic am9lOnNlY3JldA==": {Netrc: file}} {
		s := open(t, cfg, send)
		if got, err := read(t, s, 3, 2, ""); err != nil || got != "34" {
			t.Errorf("read %q, %v", got, err)
		}
		if first != want || seen != "" || asked != "bytes=3-4" {
			t.Errorf("the store saw %q, the other host %q and range %q", first, seen, asked)
		}
	}
}

func TestSilentServer(t *testing.T) {
	end := make(chan struct{})
	defer close(end)
	s := open(t, webstore.Config{Timeout: 50 * time.Millisecond}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "01")
		_ = http.NewResponseController(w).Flush()
		<-end
	})
	if got, err := read(t, s, 0, 10, ""); err == nil || backend.Final(err) || got != "01" {
		t.Errorf("read %q, %v; want a mishap after what came", got, err)
	}
}

func TestOwnAuthority(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Unix(1, 0), strings.NewReader("0123456789"))
	}))
	defer srv.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pemOf(srv.Certificate()), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, works := range map[string]bool{"": false, ca: true} {
		s, err := webstore.Open(webstore.Config{URL: srv.URL, CAFile: file})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Stat(t.Context(), "a"); (err == nil) != works {
			t.Errorf("with authority %q: %v", file, err)
		}
		_ = s.Close()
	}
	if _, err := webstore.Open(webstore.Config{URL: srv.URL, CAFile: os.Args[0]}); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a file that holds no certificate: %v", err)
	}
}

// Every valid key reaches the server as it is.
func TestKeysAreEscaped(t *testing.T) {
	var got string
	s := open(t, webstore.Config{}, func(w http.ResponseWriter, r *http.Request) {
		got = strings.TrimPrefix(r.URL.Path, "/builds/")
		w.Header().Set("Content-Length", "0")
	})
	for _, key := range []backend.Key{"a b", "a%20b", "a?b#c", "ü/雪", "a+b;c=d&e", `a\..\b`, "a:b"} {
		if _, err := s.Stat(t.Context(), key); err != nil || got != string(key) {
			t.Errorf("key %q came as %q, %v", key, got, err)
		}
	}
}

func TestBadURLs(t *testing.T) {
	for _, bad := range []string{"", "ftp://h/p", "https://", "https://h/p?q=1", "https://h/%zz"} {
		if _, err := webstore.Open(webstore.Config{URL: bad}); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%q: %v; want fs.ErrInvalid", bad, err)
		}
	}
	s, err := webstore.Open(webstore.Config{URL: "https://joe:secret@h/p/"})
	if err != nil || s.String() != "https://h/p" {
		t.Errorf("the name %q shows the password, or %v", s, err)
	}
	if _, err := url.Parse(s.String()); err != nil {
		t.Error(err)
	}
}
