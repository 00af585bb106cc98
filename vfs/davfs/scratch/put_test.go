package scratch_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/vfs/davfs/scratch"
)

func TestPutAndGet(t *testing.T) {
	s := serve(t, scratch.Config{})
	made := s.want(t, http.StatusCreated, "PUT", "a.txt", "one")
	again := s.want(t, http.StatusNoContent, "PUT", "a.txt", "two")
	if made.header.Get("ETag") == again.header.Get("ETag") {
		t.Error("two versions have one ETag")
	}
	got := s.want(t, http.StatusOK, "GET", "a.txt", "")
	if got.body != "two" || got.header.Get("ETag") != again.header.Get("ETag") {
		t.Errorf("GET = %q with ETag %s, want two with %s", got.body, got.header.Get("ETag"), again.header.Get("ETag"))
	}
	if h := got.header; h.Get("Content-Type") != "text/plain; charset=utf-8" || !strings.HasPrefix(h.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("header %v", h)
	}
	s.want(t, http.StatusPartialContent, "GET", "a.txt", "", "Range", "bytes=1-1")
	s.want(t, http.StatusNotModified, "GET", "a.txt", "", "If-None-Match", again.header.Get("ETag"))
	s.want(t, http.StatusNotFound, "GET", "b.txt", "")
}

// TestEveryVersionHasItsTag writes faster than the kernel's clock ticks, so that
// inode numbers, sizes and times would be the same again.
func TestEveryVersionHasItsTag(t *testing.T) {
	s := serve(t, scratch.Config{})
	seen := map[string]bool{}
	for range 100 {
		got := s.do(t, "PUT", "a", "x")
		tag := got.header.Get("ETag")
		if seen[tag] || !strings.HasPrefix(tag, `"`) {
			t.Fatalf("ETag %s after %d versions", tag, len(seen))
		}
		seen[tag] = true
	}
}

func TestPutIsRefused(t *testing.T) {
	s := serve(t, scratch.Config{})
	s.want(t, http.StatusCreated, "MKCOL", "dir", "")
	s.want(t, http.StatusCreated, "PUT", "file", "old")
	tag := s.do(t, "HEAD", "file", "").header.Get("ETag")
	for _, c := range []struct {
		name, path string
		header     []string
		want       int
	}{
		{"no parent", "no/x", nil, http.StatusConflict},
		{"parent is a file", "file/x", nil, http.StatusConflict},
		{"a collection", "dir", nil, http.StatusMethodNotAllowed},
		{"the collection itself", "", nil, http.StatusMethodNotAllowed},
		{"a part", "file", []string{"Content-Range", "bytes 0-2/9"}, http.StatusBadRequest},
		{"not the first", "file", []string{"If-None-Match", "*"}, http.StatusPreconditionFailed},
		{"of another version", "file", []string{"If-Match", `"other"`}, http.StatusPreconditionFailed},
		{"of nothing", "new", []string{"If-Match", "*"}, http.StatusPreconditionFailed},
		{"long name", strings.Repeat("n", 256), nil, http.StatusRequestURITooLong},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.want(t, c.want, "PUT", c.path, "new", c.header...)
		})
	}
	s.want(t, http.StatusNoContent, "PUT", "file", "new", "If-Match", tag)
	s.want(t, http.StatusCreated, "PUT", "first", "new", "If-None-Match", "*")
}

func TestLimits(t *testing.T) {
	s := serve(t, scratch.Config{MaxBytes: 100, Quota: 150})
	s.want(t, http.StatusRequestEntityTooLarge, "PUT", "big", strings.Repeat("x", 101))
	s.want(t, http.StatusCreated, "PUT", "one", strings.Repeat("x", 100))
	full := s.want(t, http.StatusInsufficientStorage, "PUT", "two", strings.Repeat("x", 51))
	if !strings.Contains(full.body, "delete") {
		t.Errorf("no hint in %q", full.body)
	}
	s.want(t, http.StatusInsufficientStorage, "COPY", "one", "", "Destination", s.url("two"))
	s.want(t, http.StatusCreated, "PUT", "two", strings.Repeat("x", 50))
	s.want(t, http.StatusNoContent, "DELETE", "one", "")
	s.want(t, http.StatusCreated, "MOVE", "two", "", "Destination", s.url("three"))
	s.want(t, http.StatusCreated, "COPY", "three", "", "Destination", s.url("four"))
	s.want(t, http.StatusNoContent, "COPY", "three", "", "Destination", s.url("four"))
	s.want(t, http.StatusCreated, "PUT", "five", strings.Repeat("x", 50))
	s.want(t, http.StatusInsufficientStorage, "PUT", "six", "x")
	wantFiles(t, s.dir, "three", "four", "five")
}

// TestLimitsWithoutLength sends bodies that don't say how long they are.
func TestLimitsWithoutLength(t *testing.T) {
	s := serve(t, scratch.Config{MaxBytes: 100 << 10, Quota: 150 << 10})
	put := func(name string, n int64) int {
		body := struct{ io.Reader }{io.LimitReader(zeros{}, n)}
		got, err := s.try(t.Context(), "PUT", name, body)
		if err != nil {
			t.Fatal(err)
		}
		return got.status
	}
	if got := put("big", 100<<10+1); got != http.StatusRequestEntityTooLarge {
		t.Errorf("too large: %d", got)
	}
	if got := put("one", 100<<10); got != http.StatusCreated {
		t.Errorf("as large as may be: %d", got)
	}
	if got := put("two", 60<<10); got != http.StatusInsufficientStorage {
		t.Errorf("beyond the quota: %d", got)
	}
	wantFiles(t, s.dir, "one")
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestQuotaCountsWhatWasThere opens a directory that has files.
func TestQuotaCountsWhatWasThere(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "old"), strings.Repeat("x", 90))
	write(t, filepath.Join(dir, "\xff"), "xxxxx")
	s := serve(t, scratch.Config{Dir: dir, Quota: 100})
	s.want(t, http.StatusInsufficientStorage, "PUT", "new", "123456")
	s.want(t, http.StatusCreated, "PUT", "new", "12345")
}

// TestRefusedBeforeTheBody asks whether it may send what is too much.
func TestRefusedBeforeTheBody(t *testing.T) {
	s := serve(t, scratch.Config{MaxBytes: 1 << 20, Quota: 1 << 10})
	for length, want := range map[int]int{2 << 20: http.StatusRequestEntityTooLarge, 1 << 19: http.StatusInsufficientStorage} {
		conn := s.raw(t, fmt.Sprintf("PUT /upload/a HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", length))
		if got := status(t, conn); got != want {
			t.Errorf("%d bytes: %d, want %d", length, got, want)
		}
	}
}

// TestCutPutLeavesTheOldFile ends connections in the middle of bodies, with and
// without a length.
func TestCutPutLeavesTheOldFile(t *testing.T) {
	s := serve(t, scratch.Config{})
	s.want(t, http.StatusCreated, "PUT", "a", "old")
	for _, header := range []string{"Content-Length: 1000\r\n\r\nnew bytes", "Transfer-Encoding: chunked\r\n\r\n9\r\nnew bytes\r\n"} {
		for _, name := range []string{"a", "b"} {
			conn := s.raw(t, "PUT /upload/"+name+" HTTP/1.1\r\nHost: x\r\n"+header)
			tcp, ok := conn.(*net.TCPConn)
			if !ok {
				t.Fatalf("%T", conn)
			}
			if err := tcp.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if got := status(t, conn); got != http.StatusBadRequest {
				t.Errorf("status %d", got)
			}
		}
	}
	if got := s.want(t, http.StatusOK, "GET", "a", ""); got.body != "old" {
		t.Errorf("the file is %q", got.body)
	}
	wantFiles(t, s.dir, "a")
}

// status reads the status of what a connection answers.
func status(t *testing.T, conn net.Conn) int {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	return resp.StatusCode
}

// wantFiles checks that these files are in a directory, and nothing else but an
// empty state directory.
func wantFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	left := map[string]bool{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			left[strings.TrimPrefix(p, dir+"/")] = true
		}
		if err == nil && d.IsDir() && filepath.Dir(p) == filepath.Join(dir, ".cosafs") {
			t.Errorf("%s is left", p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range want {
		if !left[name] {
			t.Errorf("%s is missing", name)
		}
		delete(left, name)
	}
	if len(left) > 0 {
		t.Errorf("there are also %v", left)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestOneCollectionADirectory keeps two servers from one directory: each would
// know half of the locks.
func TestOneCollectionADirectory(t *testing.T) {
	cfg := scratch.Config{Dir: t.TempDir()}
	first, err := scratch.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := scratch.New(cfg); !errors.Is(err, fs.ErrExist) {
		t.Errorf("the second: %v, want fs.ErrExist", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := scratch.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
}

func TestNewIsRefused(t *testing.T) {
	if _, err := scratch.New(scratch.Config{Dir: "uploads"}); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a relative path: %v", err)
	}
	if _, err := scratch.New(scratch.Config{Dir: filepath.Join(t.TempDir(), "no")}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
}
