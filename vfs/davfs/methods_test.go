package davfs_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cosafs/vfs"
	"cosafs/vfs/davfs"
	"cosafs/vfs/vfstest"
)

const allowed = "OPTIONS, GET, HEAD, PROPFIND"

// TestMethods is the table of what a read-only server of class 1 answers.
func TestMethods(t *testing.T) {
	d, lib := door(t, vfstest.Default(t), davfs.Config{})
	for _, c := range []struct {
		method, target string
		status         int
		allow          string
	}{
		{"OPTIONS", "/", 200, allowed},
		{"OPTIONS", "*", 200, allowed},
		{"OPTIONS", "/43.1/x86_64/meta.json", 200, allowed},
		{"OPTIONS", "/no/such/path", 200, allowed},
		{"PUT", "/new", 403, ""},
		{"PUT", "/builds.json", 403, ""},
		{"DELETE", "/builds.json", 403, ""},
		{"DELETE", "/no/such/path", 403, ""},
		{"MKCOL", "/new/", 403, ""},
		{"COPY", "/builds.json", 403, ""},
		{"MOVE", "/builds.json", 403, ""},
		{"PROPPATCH", "/builds.json", 403, ""},
		{"LOCK", "/builds.json", 405, allowed},
		{"UNLOCK", "/builds.json", 405, allowed},
		{"POST", "/builds.json", 405, allowed},
		{"PATCH", "/builds.json", 405, allowed},
		{"REPORT", "/", 405, allowed},
		{"SEARCH", "/", 405, allowed},
		{"BREW", "/", 405, allowed},
		{"GET", "/", 200, ""},
		{"HEAD", "/", 200, ""},
		{"GET", "/43.1", 301, ""},
		{"HEAD", "/latest", 301, ""},
		{"GET", "/43.1/", 200, ""},
		{"GET", "/nothing", 404, ""},
		{"GET", "/nothing/", 404, ""},
		{"GET", "/builds.json/", 404, ""},
		{"GET", "/builds.json/below", 404, ""},
	} {
		resp := ask(t, d, c.method, c.target, "")
		if resp.Code != c.status || resp.Header().Get("Allow") != c.allow {
			t.Errorf("%s %s: %d, Allow %q, want %d, %q", c.method, c.target, resp.Code, resp.Header().Get("Allow"), c.status, c.allow)
		}
		if c.method == "OPTIONS" && (resp.Header().Get("DAV") != "1" || resp.Header().Get("MS-Author-Via") != "DAV" || resp.Header().Get("Content-Length") != "0") {
			t.Errorf("OPTIONS %s: headers %v", c.target, resp.Header())
		}
	}
	if c := lib.Counters(); c.Opens != 0 {
		t.Errorf("that opened %d files", c.Opens)
	}
}

// TestRefusedBodyIsNotRead: an upload that can only fail ends at once.
func TestRefusedBodyIsNotRead(t *testing.T) {
	server, _ := serve(t, vfstest.Default(t), davfs.Config{})
	body, upload := io.Pipe()
	defer upload.Close() //nolint:errcheck // a pipe
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL+"/new", body)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = 1 << 40
	resp, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	if resp.StatusCode != http.StatusForbidden || !resp.Close {
		t.Errorf("%s, connection closed: %v", resp.Status, resp.Close)
	}
}

func TestRedirectToCollection(t *testing.T) {
	d, _ := door(t, vfstest.Default(t), davfs.Config{})
	for target, want := range map[string]string{
		"/43.1":             "/43.1/",
		"/latest?sort=size": "/latest/?sort=size",
		"/43.1/x86_64":      "/43.1/x86_64/",
		"/.cosafs":          "/.cosafs/",
	} {
		resp := ask(t, d, http.MethodGet, target, "")
		if got := resp.Header().Get("Location"); resp.Code != http.StatusMovedPermanently || got != want {
			t.Errorf("GET %s: %d to %q, want %q", target, resp.Code, got, want)
		}
	}
}

func TestListingInPlainText(t *testing.T) {
	d, _ := door(t, vfstest.Default(t), davfs.Config{})
	resp := ask(t, d, http.MethodGet, "/43.1/", "")
	if got := resp.Body.String(); got != "release.json\nx86_64\n" || resp.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("GET /43.1/ = %q, %v", got, resp.Header())
	}
}

// TestLinkNamesWhatItLeadsTo: who follows a short name learns the full one.
func TestLinkNamesWhatItLeadsTo(t *testing.T) {
	d, _ := door(t, vfstest.Default(t), davfs.Config{})
	for target, want := range map[string]string{
		"/43.1/x86_64/qemu.qcow2":   "/43.1/x86_64/os-43.1-qemu.x86_64.qcow2",
		"/latest/x86_64/meta.json":  "/43.2/x86_64/meta.json",
		"/43.2/x86_64/meta.json":    "",
		"/next/x86_64/qemu.qcow2":   "",
		"/43.1/x86_64/odd%20%C3%BC": "",
	} {
		if got := ask(t, d, http.MethodHead, target, "").Header().Get("Content-Location"); got != want {
			t.Errorf("HEAD %s: Content-Location %q, want %q", target, got, want)
		}
	}
}

// collections notes which collections pages were asked for.
type collections struct {
	davfs.Pages
	paths []string
}

func (c *collections) Directory(w http.ResponseWriter, _ *http.Request, path string, d vfs.Dir) {
	if d != nil {
		c.paths = append(c.paths, path)
	}
	w.WriteHeader(http.StatusTeapot)
}

func TestPagesShowCollections(t *testing.T) {
	pages := &collections{}
	d, _ := door(t, vfstest.Default(t), davfs.Config{Pages: pages})
	for _, target := range []string{"/", "/latest/x86_64/"} {
		if resp := ask(t, d, http.MethodGet, target, ""); resp.Code != http.StatusTeapot {
			t.Errorf("GET %s: %d", target, resp.Code)
		}
	}
	if got := strings.Join(pages.paths, ","); got != ",latest/x86_64" {
		t.Errorf("pages of %q", got)
	}
}

// TestPathsThatAreRefused: a path means one thing or nothing.
func TestPathsThatAreRefused(t *testing.T) {
	d, _ := door(t, vfstest.Default(t), davfs.Config{})
	for _, target := range []string{
		"/..", "/../", "/../etc/passwd", "/%2e%2e/", "/43.1/../43.2/", "/43.1/%2E%2e/43.2/", "/.", "/./43.1", "/43.1/.",
		"//", "//43.1/", "/43.1//x86_64/", "/43.1/x86_64//", "/43.1%2Fx86_64/", "/43.1%2fx86_64/", "/%2F", "/43.1%5Cx86_64", `/..%5c..`,
		"/a%00b", "/%00", "/%ff%fe", "/%c0%ae%c0%ae/", "/%ed%a0%80",
	} {
		for _, method := range []string{"GET", "HEAD", "PROPFIND"} {
			if resp := ask(t, d, method, target, "", "Depth", "1"); resp.Code != http.StatusBadRequest {
				t.Errorf("%s %s: %d, want 400", method, target, resp.Code)
			}
		}
	}
}

// FuzzPath: no request line makes the door fail or leave the tree.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"", "43.1/x86_64/", "..", "%2e%2e/x", "a%00", "latest/x86_64/meta.json", "//x", "\\", "%", "43.1/x86_64/odd%20%C3%BC%20%252F%2B%26%23%3F.bin", "next/x86_64/qemu.qcow2"} {
		f.Add(s)
	}
	d, lib := door(f, vfstest.Default(f), davfs.Config{})
	f.Fuzz(func(t *testing.T, path string) {
		r := httptest.NewRequestWithContext(t.Context(), "PROPFIND", "/", strings.NewReader(""))
		u, err := r.URL.Parse("/" + path)
		if err != nil || u.Host != "" {
			return
		}
		r.URL = u
		r.Header.Set("Depth", "0")
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		switch w.Code {
		case http.StatusMultiStatus:
			if got := parse(t, w.Body.String()); len(got) != 1 || strings.Contains(got.hrefs()[0]+"/", "/../") {
				t.Errorf("PROPFIND of %q tells of %q", path, got.hrefs())
			}
		case http.StatusBadRequest, http.StatusNotFound:
		default:
			t.Errorf("PROPFIND of %q: %d", path, w.Code)
		}
		if c := lib.Counters(); c.Opens != 0 {
			t.Errorf("PROPFIND of %q opened a file", path)
		}
	})
}
