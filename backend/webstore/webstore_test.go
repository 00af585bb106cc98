package webstore_test

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cosafs/backend"
	"cosafs/backend/webstore"
)

// whole is the range of a whole object.
var whole = backend.Range{Len: backend.ToEnd}

// old is when the files of these tests were made.
var old = time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)

func open(t *testing.T, cfg webstore.Config) *webstore.Store {
	t.Helper()
	s, err := webstore.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// serve gives the store of a server that answers as told.
func serve(t *testing.T, answer http.HandlerFunc) *webstore.Store {
	t.Helper()
	srv := httptest.NewServer(answer)
	t.Cleanup(srv.Close)
	return open(t, webstore.Config{URL: srv.URL + "/builds"})
}

// file answers as a good server does for a file of ten bytes, with the headers
// given.
func file(w http.ResponseWriter, r *http.Request, headers ...string) {
	for i := 0; i < len(headers); i += 2 {
		w.Header().Set(headers[i], headers[i+1])
	}
	http.ServeContent(w, r, "", old, strings.NewReader("0123456789"))
}

// read reads a range of an object.
func read(t *testing.T, s backend.Store, key backend.Key, r backend.Range, version string) (string, error) {
	t.Helper()
	body, err := s.Open(t.Context(), key, r, version)
	if err != nil {
		return "", err
	}
	data, err := io.ReadAll(body)
	if cerr := body.Close(); cerr != nil {
		t.Errorf("Close: %v", cerr)
	}
	return string(data), err
}

// wantError checks that a request failed with want, or where that is nil with
// none of the sentinels.
func wantError(t *testing.T, what string, err, want error) {
	t.Helper()
	if err == nil || want == nil && backend.Final(err) || want != nil && !errors.Is(err, want) {
		t.Errorf("%s: %v; want %v", what, err, want)
	}
}

// bothFail checks what Stat and Open of an object say.
func bothFail(t *testing.T, what string, s backend.Store, key backend.Key, want error) {
	t.Helper()
	_, err := s.Stat(t.Context(), key)
	wantError(t, "Stat: "+what, err, want)
	_, err = read(t, s, key, backend.Range{Len: 10}, "")
	wantError(t, "Open: "+what, err, want)
}

func TestBadURLs(t *testing.T) {
	for _, bad := range []string{"", "/builds", "ftp://h/p", "https://", "https:///p", "https://joe:secret@h/%zz", "https://joe:secret@h/p#part", "ftp://joe:secret@h", "https://joe:secret@h\x00"} {
		_, err := webstore.Open(webstore.Config{URL: bad})
		if !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%q: %v; want ErrInvalid", bad, err)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error shows the password: %v", bad, err)
		}
	}
}

func TestName(t *testing.T) {
	s := open(t, webstore.Config{URL: "https://joe:secret@h:8080/a%20b//?sig=secret"})
	if s.String() != "https://h:8080/a%20b" {
		t.Errorf("the store is called %s", s)
	}
}

// Every valid key reaches the server as it is, also where a plus means a space, and
// with the query that the store's URL has.
func TestKeysAreEscaped(t *testing.T) {
	var got, raw string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, raw = strings.TrimPrefix(r.URL.Path, "/all builds/"), r.RequestURI
		file(w, r)
	}))
	t.Cleanup(srv.Close)
	s := open(t, webstore.Config{URL: srv.URL + "/all%20builds/?sv=1&sig=a%2Fb"})
	for _, key := range []backend.Key{"a b", "a%20b", "a?b#c", "ü/雪", "a+b;c=d&e", `a\..\b`, "a:b", "...", "~", "a\nb"} {
		if _, err := s.Stat(t.Context(), key); err != nil || got != string(key) {
			t.Errorf("key %q came as %q, %v", key, got, err)
		}
		if path, query, _ := strings.Cut(raw, "?"); strings.Contains(path, "+") || query != "sv=1&sig=a%2Fb" {
			t.Errorf("key %q was asked for as %s", key, raw)
		}
	}
}

// A store has as many connections as it has had readers at once, whatever the
// answers were.
func TestConnectionsAreReused(t *testing.T) {
	srv, conns := countConns(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "missing") {
			http.Error(w, "there is none", http.StatusNotFound)
			return
		}
		file(w, r)
	})
	s := open(t, webstore.Config{URL: srv})
	for range 10 {
		info, err := s.Stat(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := read(t, s, "a", backend.Range{Off: 2, Len: 3}, info.Version); err != nil || got != "234" {
			t.Errorf("read %q, %v", got, err)
		}
		bothFail(t, "a missing file", s, "missing", fs.ErrNotExist)
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections; want 1", n)
	}
}
