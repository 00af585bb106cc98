package remote_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/cmd/internal/remote"
	"cosafs/materialize"
	"cosafs/vfs"
	"cosafs/vfs/vfstest"
	"cosafs/vfs/webui"
)

func (s *service) Builds(context.Context) ([]webui.BuildInfo, error) {
	return []webui.BuildInfo{{BuildRef: materialize.BuildRef{ID: "43.2"}, Arch: "x86_64"}}, s.err
}

// realWorld opens the real doors to the tree of vfstest.
func realWorld(t *testing.T, change func(*remote.Config)) *world {
	t.Helper()
	lib, err := vfstest.NewLibrary(vfstest.Default(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.cfg.Tree = func(o vfs.Options) *vfs.FS { return vfs.New(lib, o) }
	change(&w.cfg)
	w.open = remote.Listen
	return w.start()
}

// Each door answers in its place, and says no where it must.
func TestRealDoors(t *testing.T) {
	dir := t.TempDir()
	for range 2 { // the directory for uploads is let go of
		w := realWorld(t, func(c *remote.Config) { c.UploadDir = dir })
		for _, test := range []struct {
			method, path, body string
			status             int
			want               string
		}{
			{"GET", "/builds.json", "", 200, `"schema-version"`},
			{"GET", "/latest/x86_64/meta.json", "", 200, `"buildid": "43.2"`},
			{"GET", "/nothing", "", 404, ""},
			{"PUT", "/43.1/new", strings.Repeat("x", remote.BodyBytes+1), 403, ""},
			{"LOCK", "/43.1/", "", 405, ""},
			{"GET", "/v1/builds", "", 200, `"43.2"`},
			{"POST", "/v1/mount", `{"dir": "/mnt"}`, 404, ""},
			{"GET", "/.cosafs/ui/jobs/", "", 200, "<html"},
			{"PUT", "/upload/file", "mine", 201, ""},
			{"GET", "/upload/file", "", 200, "mine"},
			{"DELETE", "/upload/file", "", 204, ""},
			{"GET", "/metrics", "", 200, "cosafs_builds 2"},
		} {
			// Who refuses to go on after the answer may not get it, if his body is long.
			resp, body := w.doBy(http.DefaultTransport, w.request(test.method, test.path, strings.NewReader(test.body)))
			if resp.StatusCode != test.status || !strings.Contains(body, test.want) {
				t.Errorf("%s %s = %s %q, want %d %q", test.method, test.path, resp.Status, body, test.status, test.want)
			}
		}
		w.lists("/", "43.1", "upload")
		w.stop()
		<-w.ended
	}
}

// lists wants names in the listing of a collection.
func (w *world) lists(path string, names ...string) {
	w.Helper()
	r := w.request("PROPFIND", path, nil)
	r.Header.Set("Depth", "1")
	resp, body := w.do(r)
	if resp.StatusCode != http.StatusMultiStatus {
		w.Errorf("PROPFIND %s = %s", path, resp.Status)
	}
	for _, name := range names {
		if !strings.Contains(body, path+name+"/<") {
			w.Errorf("PROPFIND %s does not list %s: %s", path, name, body)
		}
	}
}

// A reader has what exists, and makes nothing.
func TestReadersOfRealDoors(t *testing.T) {
	w := realWorld(t, func(c *remote.Config) { c.Everybody, c.UploadDir = "reader", t.TempDir() })
	w.get("/43.1/x86_64/qemu.qcow2", http.StatusOK)
	if resp, _ := w.do(w.request(http.MethodPut, "/upload/x", strings.NewReader("x"))); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a reader's PUT = %s", resp.Status)
	}
	if resp, _ := w.do(w.request(http.MethodPost, "/v1/prune", strings.NewReader("{}"))); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a reader's prune = %s", resp.Status)
	}
}

// Who is let in as a reader finds on the page where to log in, and who has, not.
func TestPageLeadsToLogin(t *testing.T) {
	const link = `href="/.cosafs/ui/login"`
	for _, logins := range []bool{false, true} {
		w := realWorld(t, func(c *remote.Config) {
			c.Everybody = "reader"
			if logins {
				c.Tokens = tokenFile(t)
			}
		})
		r := w.request(http.MethodGet, "/", nil)
		r.Header.Set("Accept", "text/html")
		if resp, body := w.do(r); resp.StatusCode != http.StatusOK || strings.Contains(body, link) != logins {
			t.Errorf("with logins %v: %s, the link is there: %v", logins, resp.Status, strings.Contains(body, link))
		}
	}
}

// tokenFile lets one in.
func tokenFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(path, []byte("ci:"+strings.Repeat("ab", 32)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
