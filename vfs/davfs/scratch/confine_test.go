package scratch_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"cosafs/vfs/davfs/scratch"
)

// TestLinksAreNotFollowed puts links beside the files, as who has the directory
// could: they are neither shown nor followed, wherever they lead.
func TestLinksAreNotFollowed(t *testing.T) {
	outside := t.TempDir()
	write(t, filepath.Join(outside, "secret"), "secret")
	s := serve(t, scratch.Config{})
	s.want(t, http.StatusCreated, "PUT", "inside", "x")
	for name, target := range map[string]string{
		"file": filepath.Join(outside, "secret"), "dir": outside, "up": "../" + filepath.Base(outside), "near": "inside", "loop": ".",
	} {
		if err := os.Symlink(target, filepath.Join(s.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(s.dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"file", "dir", "dir/secret", "dir/new", "up/secret", "near", "loop/inside", "pipe"} {
		for _, method := range []string{"GET", "PUT", "DELETE", "MKCOL", "PROPFIND", "COPY", "MOVE", "LOCK"} {
			got := s.do(t, method, name, lockBody(method, "exclusive"), "Destination", s.url("stolen"), "Depth", "0")
			if got.status != http.StatusForbidden || strings.Contains(got.body, "secret\n") {
				t.Errorf("%s %s: %d %q, want 403", method, name, got.status, got.body)
			}
		}
		s.want(t, http.StatusForbidden, "COPY", "inside", "", "Destination", s.url(name))
	}
	for _, listing := range []string{s.do(t, "GET", "", "").body, s.do(t, "PROPFIND", "", "", "Depth", "1").body} {
		if strings.Contains(listing, "near") || strings.Contains(listing, "pipe") || !strings.Contains(listing, "inside") {
			t.Errorf("the listing is %s", listing)
		}
	}
	if got, err := os.ReadFile(filepath.Join(outside, "secret")); err != nil || string(got) != "secret" {
		t.Errorf("the file outside is %q, %v", got, err)
	}
}

// TestDeletingLinksKeepsTheirTargets deletes a collection with a link in it.
func TestDeletingLinksKeepsTheirTargets(t *testing.T) {
	outside := t.TempDir()
	write(t, filepath.Join(outside, "keep"), "x")
	s := serve(t, scratch.Config{})
	s.want(t, http.StatusCreated, "MKCOL", "d", "")
	if err := os.Symlink(outside, filepath.Join(s.dir, "d", "link")); err != nil {
		t.Fatal(err)
	}
	s.want(t, http.StatusNoContent, "DELETE", "d", "")
	if _, err := os.Stat(filepath.Join(outside, "keep")); err != nil {
		t.Error(err)
	}
}

// TestOddNames stores under names that only look special, and gets them back.
func TestOddNames(t *testing.T) {
	s := serve(t, scratch.Config{})
	for _, path := range []string{
		"%20a%20", "a+b", "%25", "a%3Fb", "a%23b", "%C3%A4%F0%9F%98%80", "a:b", "...", "..a", "a%5Cb", "a%26b%3Cc%3E", ".hidden", "-", "%22q%22", "%27",
	} {
		s.want(t, http.StatusCreated, "PUT", path, path)
		if got := s.want(t, http.StatusOK, "GET", path, ""); got.body != path {
			t.Errorf("%s has %q", path, got.body)
		}
		if got := s.want(t, http.StatusMultiStatus, "PROPFIND", path, "", "Depth", "0"); !wellFormed(got.body) {
			t.Errorf("%s: %s", path, got.body)
		}
		s.want(t, http.StatusCreated, "COPY", path, "", "Destination", s.url("copy-of-"+path))
	}
	page := s.want(t, http.StatusOK, "GET", "", "", "Accept", "text/html").body
	if !strings.Contains(page, `href="./a&amp;b%3Cc%3E"`) || strings.Contains(page, "<c>") {
		t.Errorf("the page is %s", page)
	}
}

// TestNamesThatAreNone sends paths that lead elsewhere, or can't be shown. They
// go out raw: Go's client would clean some of them.
func TestNamesThatAreNone(t *testing.T) {
	s := serve(t, scratch.Config{})
	for path, want := range map[string]int{
		"/upload/../etc/passwd": 400, "/upload/a/../b": 400, "/upload/%2e%2e/x": 400, "/upload/./x": 400, "/upload/a%2f..%2f..%2fx": 400,
		"/upload/a%00b": 400, "/upload/a%0Ab": 400, "/upload/%FF": 400, "/upload/a%EF%BF%BFb": 400,
		"/uploadx": 404, "/x": 404, "/upload/.cosafs": 403, "/upload/.cosafs/x": 403, "/upload//.cosafs/x": 403,
		"/upload/" + strings.Repeat("a/", 200): 414, "/upload/" + strings.Repeat("a", 5000): 414,
	} {
		for _, method := range []string{"GET", "PUT", "MKCOL", "DELETE"} {
			conn := s.raw(t, fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", method, path))
			if got := status(t, conn); got != want {
				t.Errorf("%s %s: %d, want %d", method, path, got, want)
			}
		}
	}
	s.want(t, http.StatusCreated, "PUT", "a", "x")
	for dest, want := range map[string]int{
		"/upload/../b": 400, "/upload/%2e%2e/b": 400, "/b": 404, "/upload/.cosafs/b": 403, "http://other/upload/b": 502, "": 400, "%zz": 400,
	} {
		s.want(t, want, "MOVE", "a", "", "Destination", dest)
	}
	wantFiles(t, s.dir, "a")
}
