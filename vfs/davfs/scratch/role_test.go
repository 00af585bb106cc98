package scratch_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"cosafs/vfs/access"
	"cosafs/vfs/davfs/scratch"
)

// TestRoles asks with every method as everybody.
func TestRoles(t *testing.T) {
	methods := map[string]access.Role{
		"OPTIONS": access.Reader, "GET": access.Reader, "HEAD": access.Reader, "PROPFIND": access.Reader,
		"PUT": access.Builder, "PROPPATCH": access.Builder, "MKCOL": access.Builder, "COPY": access.Builder, "MOVE": access.Builder,
		"LOCK": access.Builder, "UNLOCK": access.Builder, "DELETE": access.Builder,
	}
	for role := access.Nobody; role <= access.Admin; role++ {
		t.Run(role.String(), func(t *testing.T) {
			s := serveAs(t, scratch.Config{Dir: t.TempDir()}, role)
			for method, needs := range methods {
				got := s.do(t, method, "", "", "Depth", "0")
				refused := got.status == http.StatusForbidden && (method == "HEAD" || strings.Contains(got.body, "--grant NAME="+needs.String()))
				if refused != (role < needs) {
					t.Errorf("%s: %d %q, while it takes the role %s", method, got.status, got.body, needs)
				}
			}
		})
	}
}

// TestOptions says what there is to do, to each as much as he may.
func TestOptions(t *testing.T) {
	s := serve(t, scratch.Config{})
	got := s.want(t, http.StatusOK, "OPTIONS", "", "").header
	if got.Get("DAV") != "1, 2" || !strings.Contains(got.Get("Allow"), "LOCK") {
		t.Errorf("for builders: %v", got)
	}
	for _, method := range []string{"POST", "PATCH", "FROB"} {
		if h := s.want(t, http.StatusMethodNotAllowed, method, "", "").header; !strings.Contains(h.Get("Allow"), "PUT") {
			t.Errorf("%s: Allow %q", method, h.Get("Allow"))
		}
	}
	s.role = access.Reader
	if got := s.want(t, http.StatusOK, "OPTIONS", "", "").header; got.Get("DAV") != "1" || strings.Contains(got.Get("Allow"), "PUT") {
		t.Errorf("for readers: %v", got)
	}
}

// TestAudit looks for a line of each change, with who made it.
func TestAudit(t *testing.T) {
	var log bytes.Buffer
	s := serve(t, scratch.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	tree(t, s)
	s.want(t, http.StatusCreated, "MOVE", "x", "", "Destination", s.url("y"), "Test-User", "ann")
	s.want(t, http.StatusNotFound, "DELETE", "x", "", "Test-User", "bob")
	s.want(t, http.StatusOK, "GET", "y", "")
	text := log.String()
	for _, want := range []string{
		`level=INFO msg="scratch changed" op=MKCOL path=a status=201`,
		`op=PUT path=a/b/c status=201 user="" addr=127.0.0.1`,
		`op=MOVE path=x status=201 user=ann`,
		fmt.Sprintf("to=%s", "y"),
		`msg="scratch change refused" op=DELETE path=x status=404 user=bob`,
		"bytes=1",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if strings.Contains(text, "GET") {
		t.Errorf("reading is logged: %s", text)
	}
}
