package page_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cosafs/materialize"
	"cosafs/vfs/access"
)

// A view is a page as somebody sees it.
type view struct {
	name   string // of its golden file
	target string // what is asked for; "" where show shows it
	role   access.Role
	show   func(w *world, rw http.ResponseWriter, r *http.Request)
	status int
}

// views are the pages, in the states that matter.
func views() []view {
	buildDir := "/" + idNew + "/x86_64/"
	metal4k := idNew + "/x86_64/metal4k.raw"
	azure := idNew + "/x86_64/fedora-coreos-" + idNew + "-azure.x86_64.vhd"
	failure := &materialize.JobError{Job: "01jd3f", Err: materialize.Fail(materialize.ClassSpace, "encode ova", "free some: cosafs gc", errors.New("no room for 10 GiB"))}
	return []view{
		{"builds", "/", access.Reader, nil, 200},
		{"build", buildDir, access.Builder, nil, 200},
		{"build-reader", buildDir, access.Reader, nil, 200},
		{"build-latest", "/latest/x86_64/", access.Builder, nil, 200},
		{"build-problem", "/" + idBad + "/x86_64/", access.Reader, nil, 200},
		{"next", "/next/x86_64/", access.Builder, nil, 200},
		{"directory", "/.cosafs/?sort=size&order=desc", access.Reader, nil, 200},
		{"jobs", "/.cosafs/ui/jobs/", access.Builder, nil, 200},
		{"job-running", "/.cosafs/ui/jobs/01jd4x?path=" + metal4k + "&download=1", access.Builder, nil, 200},
		{"job-failed", "/.cosafs/ui/jobs/01jd3f", access.Reader, nil, 200},
		{"job-done", "/.cosafs/ui/jobs/01jd2a?download=1", access.Reader, nil, 200},
		{"plan", "/.cosafs/ui/plan?path=" + azure, access.Builder, nil, 200},
		{"diff", "/.cosafs/ui/diff?a=" + idOld + "&b=" + idNew + "&arch=x86_64", access.Reader, nil, 200},
		{"find", "/.cosafs/ui/find?package=kernel", access.Reader, nil, 200},
		{"waiting", "", access.Builder, func(w *world, rw http.ResponseWriter, r *http.Request) { w.site.Waiting(rw, r, metal4k) }, 503},
		{"ask", "", access.Builder, func(w *world, rw http.ResponseWriter, r *http.Request) { w.site.Ask(rw, r, azure) }, 200},
		{"ask-reader", "", access.Reader, func(w *world, rw http.ResponseWriter, r *http.Request) { w.site.Ask(rw, r, azure) }, 403},
		{"failed", "", access.Builder, func(w *world, rw http.ResponseWriter, r *http.Request) { w.site.Failed(rw, r, azure, 424, failure) }, 424},
		{"nothing", "/.cosafs/ui/nothing", access.Reader, nil, 404},
	}
}

// see gives a view's answer.
func (w *world) see(t *testing.T, v view) *httptest.ResponseRecorder {
	t.Helper()
	if v.show == nil {
		return w.get(t, v.role, v.target)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://builds.example:8080/", nil)
	r = r.WithContext(access.With(r.Context(), access.Caller{Name: "ada", Role: v.role}))
	rec := httptest.NewRecorder()
	v.show(w, rec, r)
	return rec
}

// TestPages compares the pages with testdata; COSAFS_TEST_UPDATE=1 writes them anew.
func TestPages(t *testing.T) {
	for _, v := range views() {
		t.Run(v.name, func(t *testing.T) {
			w := newWorld(t)
			rec := w.see(t, v)
			if rec.Code != v.status {
				t.Errorf("status %d, want %d", rec.Code, v.status)
			}
			w.checkHeaders(t, rec)
			golden(t, v.name, rec.Body.String())
		})
	}
}

func (w *world) checkHeaders(t *testing.T, rec *httptest.ResponseRecorder) {
	t.Helper()
	for name, want := range map[string]string{
		"Content-Security-Policy": w.site.Policy(), "X-Content-Type-Options": "nosniff",
		"Content-Type": "text/html; charset=utf-8", "Cache-Control": "private, no-cache",
	} {
		if got := rec.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".html")
	// The hashes of assets would change all files with every word of a style.
	got = regexp.MustCompile(`(/assets/[a-z]+)\.[0-9a-f]{16}\.`).ReplaceAllString(got, "$1.HASH.")
	if os.Getenv("COSAFS_TEST_UPDATE") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-want +got), COSAFS_TEST_UPDATE=1 accepts it:\n%s", diff)
	}
}

// TestMarkup checks every page as a browser and its user would, and that what it
// leads to is there.
func TestMarkup(t *testing.T) {
	for _, v := range views() {
		t.Run(v.name, func(t *testing.T) {
			w := newWorld(t)
			d, err := parse(w.see(t, v).Body.String())
			if err != nil {
				t.Fatal(err)
			}
			for _, wrong := range d.wrong {
				t.Error(wrong)
			}
			for _, link := range d.links {
				w.checkLink(t, link)
			}
		})
	}
}

// checkLink follows a link or sends an empty form to it.
func (w *world) checkLink(t *testing.T, link string) {
	t.Helper()
	code := w.get(t, access.Builder, link).Code
	if code == http.StatusMethodNotAllowed || code == http.StatusNotFound {
		if posted := w.post(t, access.Builder, link, nil).Code; posted == http.StatusBadRequest {
			return // a form, and it says what it lacks
		}
	}
	// A plan that nobody made for the test is no broken link.
	if code >= 400 && !strings.HasPrefix(link, "/.cosafs/ui/plan?") {
		t.Errorf("%s: %d", link, code)
	}
}

// TestHostile has everything that others name be markup.
func TestHostile(t *testing.T) {
	const evil = `"'><script>alert(1)</script><img src=x onerror=alert(1)>{{.}}`
	w := newWorld(t)
	files, err := w.lib.snap.Builds[0].Arches[1].Files()
	if err != nil {
		t.Fatal(err)
	}
	for i := range files {
		files[i].Name, files[i].Reason, files[i].Kind = strings.ReplaceAll(evil, "/", "")+files[i].Name, evil, "x"
	}
	w.svc.builds[0].Tags, w.svc.builds[0].Version, w.svc.builds[0].Config = []string{evil}, evil, evil
	w.svc.builds[1].Problem, w.svc.builds[0].Commit = evil, evil
	w.svc.status.Stores[1].Problem, w.svc.status.Stores[1].Name = evil, "javascript:alert(1)"
	w.svc.log, w.lib.plan = evil, evil
	for i := range w.svc.jobs {
		j := &w.svc.jobs[i]
		j.Title, j.Phase, j.Error, j.Hint, j.Target.Kind = evil, evil, evil, evil, evil
	}
	w.svc.diff.Packages[0].Name, w.svc.diff.Unknown, w.svc.found[0].Source = evil, evil, evil
	for path, p := range w.svc.plans {
		p.Reason, p.Steps = evil, []materialize.Step{{Do: evil, What: evil, Why: evil, Key: evil}}
		w.svc.plans[path] = p
	}
	hostile := append(views(), view{"", "/?filter=%22%3E%3Cscript%3E&tag=%22%3E%3Cscript%3E&arch=%3Cscript%3E", access.Reader, nil, 200},
		view{"", "/.cosafs/ui/find?package=%22%3E%3Cscript%3Ealert(1)%3C/script%3E", access.Reader, nil, 200},
		view{"", "/.cosafs/ui/jobs/01jd2a?download=1&path=javascript:alert(1)", access.Reader, nil, 200},
		view{"", "/.cosafs/ui/jobs/01jd2a?download=1&path=//evil.example/x", access.Reader, nil, 200})
	for _, v := range hostile {
		body := w.see(t, v).Body.String()
		d, err := parse(body)
		if err != nil {
			t.Fatal(err)
		}
		for _, wrong := range d.wrong {
			t.Errorf("%s%s: %s", v.name, v.target, wrong)
		}
		if strings.Contains(body, "<script>") || strings.Contains(body, "<img") {
			t.Errorf("%s%s: markup of others is in the page", v.name, v.target)
		}
	}
}
