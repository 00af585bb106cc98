package scratch_test

import (
	"net/http"
	"strings"
	"testing"

	"cosafs/vfs/davfs/scratch"
)

// tree makes /a/b/c and /x, files with their names in them.
func tree(t *testing.T, s *site) {
	t.Helper()
	s.want(t, http.StatusCreated, "MKCOL", "a", "")
	s.want(t, http.StatusCreated, "MKCOL", "a/b", "")
	s.want(t, http.StatusCreated, "PUT", "a/b/c", "c")
	s.want(t, http.StatusCreated, "PUT", "x", "x")
}

// TestMoveReplaces moves without Overwrite, which means T.
func TestMoveReplaces(t *testing.T) {
	s := serve(t, scratch.Config{})
	tree(t, s)
	s.want(t, http.StatusPreconditionFailed, "MOVE", "a/b/c", "", "Destination", s.url("x"), "Overwrite", "F")
	s.want(t, http.StatusNoContent, "MOVE", "a/b/c", "", "Destination", s.url("x"))
	if got := s.want(t, http.StatusOK, "GET", "x", ""); got.body != "c" {
		t.Errorf("x is %q", got.body)
	}
	s.want(t, http.StatusNoContent, "MOVE", "x", "", "Destination", s.url("a"))
	if got := s.want(t, http.StatusOK, "GET", "a", ""); got.body != "c" {
		t.Errorf("a is %q", got.body)
	}
	wantFiles(t, s.dir, "a")
}

// TestNothingIsLost does what x/net/webdav would delete files for, or never end.
func TestNothingIsLost(t *testing.T) {
	s := serve(t, scratch.Config{})
	tree(t, s)
	for _, c := range []struct {
		from, to string
		want     int
	}{
		{"a", "a/b/d", http.StatusForbidden},
		{"a/b/c", "a", http.StatusForbidden},
		{"a", "a/", http.StatusForbidden},
		{"a", "", http.StatusForbidden},
		{"", "d", http.StatusForbidden},
		{"no", "x", http.StatusNotFound},
		{"x", "no/x", http.StatusConflict},
	} {
		for _, method := range []string{"COPY", "MOVE"} {
			s.want(t, c.want, method, c.from, "", "Destination", s.url(c.to))
		}
	}
	s.want(t, http.StatusMethodNotAllowed, "DELETE", "", "")
	wantFiles(t, s.dir, "a/b/c", "x")
}

// TestFailedCopyKeepsWhatItWouldReplace runs out of space in the middle of a
// collection.
func TestFailedCopyKeepsWhatItWouldReplace(t *testing.T) {
	s := serve(t, scratch.Config{Quota: 1000})
	tree(t, s)
	s.want(t, http.StatusCreated, "PUT", "a/b/big", strings.Repeat("x", 600))
	s.want(t, http.StatusCreated, "MKCOL", "old", "")
	s.want(t, http.StatusCreated, "PUT", "old/file", "old")
	s.want(t, http.StatusInsufficientStorage, "COPY", "a", "", "Destination", s.url("old"))
	s.want(t, http.StatusInsufficientStorage, "COPY", "a/b/big", "", "Destination", s.url("x"))
	wantFiles(t, s.dir, "a/b/c", "a/b/big", "old/file", "x")
	if got := s.want(t, http.StatusOK, "GET", "x", ""); got.body != "x" {
		t.Errorf("x is %q", got.body)
	}
	s.want(t, http.StatusNoContent, "DELETE", "a/b/big", "")
	s.want(t, http.StatusNoContent, "COPY", "a", "", "Destination", s.url("old"))
	wantFiles(t, s.dir, "a/b/c", "old/b/c", "x")
}

// TestShallowCopy copies a collection without what is in it.
func TestShallowCopy(t *testing.T) {
	s := serve(t, scratch.Config{})
	tree(t, s)
	s.want(t, http.StatusCreated, "COPY", "a", "", "Destination", s.url("d"), "Depth", "0")
	s.want(t, http.StatusNotFound, "GET", "d/b/c", "")
	s.want(t, http.StatusOK, "GET", "d/", "")
}
