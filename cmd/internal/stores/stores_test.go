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
	"time"

	"cosafs/backend"
	"cosafs/backend/s3store"
	"cosafs/cmd/internal/stores"
)

func open(t *testing.T, url string, cfg stores.Config) backend.Store {
	t.Helper()
	s, err := stores.Open(t.Context(), url, cfg)
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// workdir makes a working directory with an empty list of builds.
func workdir(t *testing.T, name string) (work, builds string) {
	t.Helper()
	work = filepath.Join(t.TempDir(), name)
	builds = filepath.Join(work, "builds")
	if err := os.MkdirAll(builds, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(builds, "builds.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	return work, builds
}

// A working directory and its builds are one store, however they are called.
func TestOpenDirectories(t *testing.T) {
	work, builds := workdir(t, "a b?c")
	t.Chdir(work)
	escaped := strings.NewReplacer(" ", "%20", "?", "%3F").Replace(work)
	for _, dir := range []string{
		work, work + "/", builds, builds + "//", builds + "/builds.json", ".", "builds", "./builds/", "builds.json", "builds/builds.json",
		"file://" + escaped, "file://localhost" + escaped + "/builds/", "FILE://" + escaped + "/builds/builds.json",
	} {
		s := open(t, dir, stores.Config{})
		if info, err := s.Stat(t.Context(), "builds.json"); err != nil || info.Size != 2 {
			t.Errorf("%s: builds.json: %+v, %v", dir, info, err)
		}
		if _, ok := backend.As[backend.Writer](s); !ok {
			t.Errorf("%s can't be written", dir)
		}
	}
}

// Stores that are far are asked again after a mishap, by the name that was pasted.
func TestOpenWeb(t *testing.T) {
	var asked []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Content-Length", "1")
		if len(asked) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(srv.Close)
	s := open(t, srv.URL+"/builds/builds.json", stores.Config{Retry: backend.Policy{First: time.Millisecond}})
	if _, err := s.Stat(t.Context(), "builds.json"); err != nil || len(asked) != 2 || asked[1] != "/builds/builds.json" {
		t.Errorf("Stat: %v after requests for %q", err, asked)
	}
}

// Passwords come from where curl has them, unless a token is given.
func TestWebCredentials(t *testing.T) {
	var sent string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = r.Header.Get("Authorization")
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Content-Length", "1")
	}))
	t.Cleanup(srv.Close)
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("NETRC", "")
	ask := func(cfg stores.Config, want string) {
		t.Helper()
		if _, err := open(t, srv.URL, cfg).Stat(t.Context(), "x"); err != nil || sent != want {
			t.Errorf("%v, sent %q; want %q", err, sent, want)
		}
	}
	netrc := func(name, password string) string {
		file := filepath.Join(home, name)
		if err := os.WriteFile(file, []byte("default login u password "+password), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	ask(stores.Config{}, "")
	netrc(".netrc", "home")
	ask(stores.Config{}, "Basic dTpob21l")
	t.Setenv("NETRC", netrc("other", "env"))
	ask(stores.Config{}, "Basic dTplbnY=")
	ask(stores.Config{Netrc: netrc("third", "given")}, "Basic dTpnaXZlbg==")
	ask(stores.Config{Bearer: "token"}, "Bearer token")
}

// What an S3 URL says of itself weighs more than the settings.
func TestOpenS3(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
		"AWS_ENDPOINT_URL": "", "AWS_PROFILE": "", "AWS_REGION": "", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	var path, region string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.Path
		if _, scope, ok := strings.Cut(r.Header.Get("Authorization"), "Credential=a/"); ok {
			region = strings.Split(scope, "/")[1]
		}
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Content-Length", "1")
	}))
	t.Cleanup(srv.Close)
	cfg := stores.Config{Endpoint: "http://127.0.0.1:1", Region: "given-1"}
	s := open(t, "s3://bucket/prefix/builds.json?endpoint="+srv.URL, cfg)
	if _, err := s.Stat(t.Context(), "x"); err != nil || path != "/bucket/prefix/x" || region != "given-1" {
		t.Errorf("Stat: %v, asked for %s in region %q", err, path, region)
	}
	cfg.Endpoint = srv.URL
	s = open(t, "s3://bucket?region=own-1", cfg)
	if _, err := s.Stat(t.Context(), "x"); err != nil || path != "/bucket/x" || region != "own-1" {
		t.Errorf("Stat: %v, asked for %s in region %q", err, path, region)
	}
	if _, ok := backend.As[*s3store.Store](s); !ok {
		t.Error("it is not the S3 store")
	}
}

func TestOpenRefuses(t *testing.T) {
	for url, want := range map[string]error{
		"": fs.ErrInvalid, "a\x00b": fs.ErrInvalid, "ftp://joe:secret@h/p": fs.ErrInvalid, "gs://bucket?secret": fs.ErrInvalid,
		"s3://": fs.ErrInvalid, "s3://bucket/p?colour=red": fs.ErrInvalid, "s3://joe:secret@bucket/p": fs.ErrInvalid,
		"https://": fs.ErrInvalid, "https://joe:secret@h/p#x": fs.ErrInvalid, "https://joe:secret@h:port/": fs.ErrInvalid,
		"file://relative": fs.ErrInvalid, "file:///%zz": fs.ErrInvalid, "/does/not/exist": fs.ErrNotExist, "s3:/bucket": fs.ErrNotExist,
	} {
		_, err := stores.Open(t.Context(), url, stores.Config{})
		if !errors.Is(err, want) {
			t.Errorf("%q: %v; want %v", url, err, want)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error tells secrets: %v", url, err)
		}
	}
	for _, url := range []string{"", "ftp://h/p", "gs://bucket", "file://relative", "s3:/bucket", "builds.example.com/prod"} {
		if _, err := stores.Open(t.Context(), url, stores.Config{}); err == nil || !strings.Contains(err.Error(), "s3://BUCKET/PREFIX") {
			t.Errorf("%q: %v does not say what a store is", url, err)
		}
	}
}
