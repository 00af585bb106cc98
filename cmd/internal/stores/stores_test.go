package stores_test

import (
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/backend"
	"cosafs/cmd/internal/stores"
)

func TestOpenDirectories(t *testing.T) {
	work := t.TempDir()
	builds := filepath.Join(work, "builds")
	if err := os.MkdirAll(builds, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(builds, "builds.json"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{work, builds, builds + "/", "file://" + builds, builds + "/builds.json"} {
		s, err := stores.Open(t.Context(), url, stores.Config{})
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if info, err := s.Stat(t.Context(), "builds.json"); err != nil || info.Size != 2 {
			t.Errorf("%s: builds.json: %+v, %v", url, info, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What fails by mishap is asked again.
func TestOpenWeb(t *testing.T) {
	asked := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "0")
		if asked++; asked == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer srv.Close()
	s, err := stores.Open(t.Context(), srv.URL+"/builds/builds.json", stores.Config{Retry: backend.Policy{First: 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if _, err := s.Stat(t.Context(), "builds.json"); err != nil || asked != 2 {
		t.Errorf("Stat: %v after %d requests", err, asked)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, url := range []string{"ftp://h/p", "s3://", "s3://bucket/p?colour=red", "https://h/p?q", "/does/not/exist"} {
		_, err := stores.Open(t.Context(), url, stores.Config{})
		if !errors.Is(err, fs.ErrInvalid) && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", url, err)
		}
	}
	_, err := stores.Open(t.Context(), "ftp://h/p", stores.Config{})
	if err == nil || !strings.Contains(err.Error(), "s3://BUCKET/PREFIX") {
		t.Errorf("%v does not say what a store is", err)
	}
}

func TestName(t *testing.T) {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ url, endpoint, want string }{
		{"s3://b/p/", "", "s3://b/p"},
		{"s3://b/p/builds.json", "", "s3://b/p"},
		{"s3://b/p?profile=x&anonymous=1", "", "s3://b/p"},
		{"s3://b/p?endpoint=http://h:1", "http://other", "s3://b/p?endpoint=http%3A%2F%2Fh%3A1"},
		{"s3://b/p", "http://h:1", "s3://b/p?endpoint=http%3A%2F%2Fh%3A1"},
		{"https://joe:secret@h/p/", "http://h:1", "https://h/p"},
		{"x", "", filepath.Join(dir, "x")},
		{"file:///a/b/", "", "/a/b"},
	} {
		if got := stores.Name(c.url, c.endpoint); got != c.want {
			t.Errorf("Name(%q, %q) = %q; want %q", c.url, c.endpoint, got, c.want)
		}
	}
}

// A name never shows a password, and is its own name.
func FuzzName(f *testing.F) {
	f.Add("https://u:passw0rd@h/p?token=passw0rd#passw0rd")
	f.Add("s3://b/p?endpoint=http://h")
	f.Fuzz(func(t *testing.T, url string) {
		name := stores.Name(url, "")
		if again := stores.Name(name, ""); strings.Contains(name, "://") && again != name {
			t.Errorf("Name(%q) = %q, whose name is %q", url, name, again)
		}
	})
}
