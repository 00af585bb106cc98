package page_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"cosafs/materialize"
	"cosafs/vfs"
	"cosafs/vfs/access"
	"cosafs/vfs/webui"
	"cosafs/vfs/webui/page"
)

// fill gives the world so many builds; ids grow with time.
func (w *world) fill(tb testing.TB, n int) {
	tb.Helper()
	w.svc.builds = make([]webui.BuildInfo, n)
	builds := make([]vfs.Build, n)
	for i := range n {
		id, at := fmt.Sprintf("44.%05d", n-i), now.Add(-time.Duration(i)*time.Hour)
		ref := materialize.BuildRef{ID: id, Arches: []string{"x86_64"}, Local: true, Time: at}
		if i%1000 == 7 {
			ref.Tags = []string{"kept"}
		}
		w.svc.builds[i] = webui.BuildInfo{BuildRef: ref, Arch: "x86_64", Version: id, Artifacts: []materialize.Artifact{{Kind: "qemu", Size: 1 << 30}, {Kind: "aws", Size: -1}}}
		builds[i] = vfs.Build{ID: id, Time: at, Arches: []vfs.Arch{{Name: "x86_64", Files: vfs.FilesOf(nil)}}}
	}
	w.lib.snap = &vfs.Snapshot{Serial: w.lib.snap.Serial + 1, Builds: builds, Latest: builds[0].ID}
	w.reload(tb, page.Config{})
}

// ids gives the builds that a list shows, in its order.
func ids(t *testing.T, body string) []string {
	t.Helper()
	d, err := parse(body)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for n := range d.root.Descendants() {
		if n.DataAtom == atom.Th && attr(n, "scope") == "row" {
			list = append(list, words(n.FirstChild))
		}
	}
	return list
}

// rel gives the address of the page's link with that relation, "" for none.
func rel(t *testing.T, body, name string) string {
	t.Helper()
	d, err := parse(body)
	if err != nil {
		t.Fatal(err)
	}
	for n := range d.root.Descendants() {
		if n.Type == html.ElementNode && n.DataAtom == atom.A && attr(n, "rel") == name {
			return attr(n, "href")
		}
	}
	return ""
}

func TestBuildsByPage(t *testing.T) {
	w := newWorld(t)
	w.fill(t, 250)
	var all []string
	for target := "/"; target != ""; {
		body := w.get(t, access.Reader, target).Body.String()
		if list := ids(t, body); len(list) > 100 || len(list) == 0 {
			t.Fatalf("%s shows %d builds", target, len(list))
		} else {
			all = append(all, list...)
		}
		target = rel(t, body, "next")
	}
	if len(all) != 250 || all[0] != "44.00250" || all[249] != "44.00001" || len(slices.Compact(slices.Clone(all))) != 250 {
		t.Errorf("%d builds, from %s to %s", len(all), all[0], all[len(all)-1])
	}
	last := w.get(t, access.Reader, "/?offset=200").Body.String()
	if got := ids(t, w.get(t, access.Reader, rel(t, last, "prev")).Body.String()); got[0] != all[100] {
		t.Errorf("the page before the last begins with %s", got[0])
	}
	if w.svc.listed != 1 {
		t.Errorf("the builds were asked for %d times", w.svc.listed)
	}
	if got := w.get(t, access.Reader, "/?offset=9999"); got.Code != http.StatusOK {
		t.Errorf("beyond the end: %d", got.Code)
	}
}

func TestBuildsFilterAndSort(t *testing.T) {
	w := newWorld(t)
	w.fill(t, 2000)
	for _, c := range []struct {
		query string
		want  []string
	}{
		{"?filter=44.0010", []string{"44.00109", "44.00108", "44.00107", "44.00106", "44.00105", "44.00104", "44.00103", "44.00102", "44.00101", "44.00100"}},
		{"?filter=44.0010&sort=id&order=asc&offset=8", []string{"44.00108", "44.00109"}},
		{"?tag=kept", []string{"44.01993", "44.00993"}},
		{"?tag=kept&sort=time&order=asc", []string{"44.00993", "44.01993"}},
		{"?filter=no+such", nil},
	} {
		if got := ids(t, w.get(t, access.Reader, "/"+c.query).Body.String()); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v", c.query, got)
		}
	}
	for _, bad := range []string{"?sort=colour", "?offset=x", "?offset=-3"} {
		if got := w.get(t, access.Reader, "/"+bad).Code; got != http.StatusBadRequest {
			t.Errorf("%s: %d", bad, got)
		}
	}
}

// TestSortLinks follows the headings: the first click sorts, the second turns the order.
func TestSortLinks(t *testing.T) {
	w := newWorld(t)
	w.fill(t, 20)
	target, want := "/", []string{"44.00001", "44.00020", "44.00001"}
	for _, first := range want {
		d, err := parse(w.get(t, access.Reader, target).Body.String())
		if err != nil {
			t.Fatal(err)
		}
		for n := range d.root.Descendants() {
			if n.DataAtom == atom.A && attr(n, "class") == "sort" && words(n) == "Build" {
				target = attr(n, "href")
			}
		}
		if got := ids(t, w.get(t, access.Reader, target).Body.String()); got[0] != first {
			t.Errorf("%s begins with %s, want %s", target, got[0], first)
		}
	}
}

func TestBuildsFollowTheIndex(t *testing.T) {
	w := newWorld(t)
	w.fill(t, 3)
	w.get(t, access.Reader, "/")
	w.fill(t, 4)
	if got := ids(t, w.get(t, access.Reader, "/").Body.String()); got[0] != "44.00004" {
		t.Errorf("after a new build the list begins with %s", got[0])
	}
}

// TestBuildsUnknown has no store ever have answered: the page says so, and asks again
// the next time.
func TestBuildsUnknown(t *testing.T) {
	w := newWorld(t)
	w.svc.fail = materialize.Fail(materialize.ClassNetwork, "list builds", "", fmt.Errorf("no route to the store"))
	if body := w.get(t, access.Reader, "/").Body.String(); !strings.Contains(body, "no route to the store") {
		t.Errorf("the reason is not on the page:\n%s", body)
	}
	w.svc.fail = nil
	if got := ids(t, w.get(t, access.Reader, "/").Body.String()); len(got) != 3 {
		t.Errorf("then the page shows %v", got)
	}
}

func TestNoBuilds(t *testing.T) {
	w := newWorld(t)
	w.svc.builds = nil
	if body := w.get(t, access.Reader, "/").Body.String(); !strings.Contains(body, "There is no build yet") {
		t.Errorf("the page says nothing of an empty tree:\n%s", body)
	}
}

// BenchmarkBuilds renders the last page of ten thousand builds.
func BenchmarkBuilds(b *testing.B) {
	for _, query := range []string{"/?offset=9900", "/?filter=44.0500&sort=id&order=asc"} {
		b.Run(strings.Trim(query, "/?"), func(b *testing.B) {
			w := newWorld(b)
			w.fill(b, 10000)
			w.get(b, access.Reader, "/")
			for b.Loop() {
				if got := w.get(b, access.Reader, query).Code; got != http.StatusOK {
					b.Fatal(got)
				}
			}
		})
	}
}
