package webui_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"cosafs/materialize"
	"cosafs/vfs/access"
	"cosafs/vfs/webui"
)

// shelf is a service with the builds of a fixed list.
type shelf struct {
	*fake
	builds []webui.BuildInfo
}

func (s shelf) Builds(context.Context) ([]webui.BuildInfo, error) { return s.builds, s.fail }

// newest first, as services list them.
func someBuilds() []webui.BuildInfo {
	build := func(id, version string, hour int64, arch, tag, commit string) webui.BuildInfo {
		b := webui.BuildInfo{BuildRef: materialize.BuildRef{ID: id, Time: time.Unix(hour*3600, 0).UTC()}, Version: version, Commit: commit}
		b.Arches = strings.Fields(arch)
		b.Tags = strings.Fields(tag)
		return b
	}
	return []webui.BuildInfo{
		build("41.10.0", "41.10", 5, "x86_64", "", "ee55"),
		build("41.9.0", "v9", 4, "x86_64 aarch64", "stable", "dd44"),
		build("41.9.00", "41.9", 3, "aarch64", "stable-old", "cc33"),
		build("41.9.0-rc", "41.9~rc", 2, "s390x", "next Testing", "bb22"),
		build("8.1", "8.1", 1, "x86_64", "", "AA11"),
	}
}

func idsOf(builds []webui.BuildInfo) string {
	var ids []string
	for _, b := range builds {
		ids = append(ids, b.ID)
	}
	return strings.Join(ids, " ")
}

func TestListQuery(t *testing.T) {
	all := someBuilds()
	for _, tt := range []struct {
		query, want string
		total       int
	}{
		{"", "41.10.0 41.9.0 41.9.00 41.9.0-rc 8.1", 5},
		{"sort=time", "41.10.0 41.9.0 41.9.00 41.9.0-rc 8.1", 5},
		{"order=asc", "8.1 41.9.0-rc 41.9.00 41.9.0 41.10.0", 5},
		{"sort=id", "8.1 41.9.0 41.9.00 41.9.0-rc 41.10.0", 5},
		{"sort=id&order=desc", "41.10.0 41.9.0-rc 41.9.0 41.9.00 8.1", 5},
		{"sort=version", "8.1 41.9.00 41.9.0-rc 41.10.0 41.9.0", 5},
		{"arch=aarch64", "41.9.0 41.9.00", 2},
		{"arch=aarch", "", 0},
		{"tag=stable", "41.9.0", 1},
		{"filter=TESTING", "41.9.0-rc", 1},
		{"filter=aa1", "8.1", 1},
		{"filter=41.9&arch=x86_64", "41.9.0", 1},
		{"limit=2", "41.10.0 41.9.0", 5},
		{"limit=2&offset=4", "8.1", 5},
		{"offset=5", "", 5},
		{"offset=9223372036854775807&limit=9223372036854775807", "", 5},
		{"limit=0&offset=3", "41.9.0-rc 8.1", 5},
		{"unknown=1", "41.10.0 41.9.0 41.9.00 41.9.0-rc 8.1", 5},
	} {
		t.Run(tt.query, func(t *testing.T) {
			v, err := url.ParseQuery(tt.query)
			ok(t, err)
			q, err := webui.ParseListQuery(v)
			ok(t, err)
			rows, total := q.Apply(all)
			if got := idsOf(rows); got != tt.want || total != tt.total || rows == nil {
				t.Errorf("%q of %d, want %q of %d", got, total, tt.want, tt.total)
			}
		})
	}
	same(t, "the list", someBuilds(), all)
}

func TestListQueryRefuses(t *testing.T) {
	for _, query := range []string{"sort=size", "order=up", "sort=id&order=", "offset=-1", "limit=-1", "limit=ten", "offset=1e3", "limit=99999999999999999999"} {
		v, err := url.ParseQuery(query)
		ok(t, err)
		_, err = webui.ParseListQuery(v)
		if wanted := query != "sort=id&order="; wanted != errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%s: %v, want fs.ErrInvalid: %v", query, err, wanted)
		}
	}
}

// The zero query is the list as it is.
func TestListQueryZero(t *testing.T) {
	rows, _ := webui.ListQuery{}.Apply(someBuilds())
	same(t, "rows", someBuilds(), rows)
	rows, total := webui.ListQuery{}.Apply(nil)
	if rows == nil || len(rows) != 0 || total != 0 {
		t.Errorf("of no builds: %v, %d", rows, total)
	}
}

// Following the links gives every build once, in order.
func TestPages(t *testing.T) {
	h := webui.Handler(shelf{newFake(), someBuilds()})
	var seen []string
	pages := 0
	for path := "/v1/builds?sort=id&limit=2&filter=."; path != ""; pages++ {
		w := ask(t, h, access.Reader, "GET", path, "")
		var rows []webui.BuildInfo
		ok(t, json.Unmarshal(w.Body.Bytes(), &rows))
		seen = append(seen, idsOf(rows))
		if got := w.Header().Get("X-Total-Count"); got != "5" {
			t.Errorf("X-Total-Count %q", got)
		}
		link, isNext := strings.CutSuffix(w.Header().Get("Link"), `>; rel="next"`)
		path = strings.TrimPrefix(link, "<")
		if isNext != (pages < 2) {
			t.Fatalf("page %d: Link %q", pages, w.Header().Get("Link"))
		}
	}
	same(t, "pages", []string{"8.1 41.9.0", "41.9.00 41.9.0-rc", "41.10.0"}, seen)
	if w := ask(t, h, access.Reader, "GET", "/v1/builds?limit=x", ""); failed(t, w, http.StatusBadRequest).Is[0] != "invalid" {
		t.Error("it is not invalid")
	}
	if w := ask(t, webui.Handler(shelf{fake: newFake()}), access.Reader, "GET", "/v1/builds", ""); w.Body.String() != "[]\n" {
		t.Errorf("no builds: %s", w.Body)
	}
}

func FuzzParseListQuery(f *testing.F) {
	for _, q := range []string{"", "filter=a&sort=id&order=desc&offset=1&limit=2", "sort=version", "arch=x86_64&tag=t", "limit=-0", "filter=%ff"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		v, err := url.ParseQuery(query)
		if err != nil {
			t.Skip("net/url refuses it")
		}
		q, err := webui.ParseListQuery(v)
		if err != nil {
			if !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("%q: %v", query, err)
			}
			return
		}
		rows, total := q.Apply(someBuilds())
		if len(rows) > total || total > 5 || q.Limit > 0 && len(rows) > q.Limit || len(rows) > max(total-q.Offset, 0) {
			t.Errorf("%q: %d rows of %d", query, len(rows), total)
		}
		q.Filter, q.Arch, q.Tag, q.Offset, q.Limit = "", "", "", 0, 0
		if sorted, _ := q.Apply(someBuilds()); len(sorted) != 5 {
			t.Errorf("%q: sorting lost builds: %s", query, idsOf(sorted))
		}
	})
}

// Any order of names is one: whatever the names.
func FuzzOrder(f *testing.F) {
	f.Add("41.9", "41.10", "41.010")
	f.Add("a1", "1a", "")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		var builds []webui.BuildInfo
		for _, id := range []string{a, b, c} {
			builds = append(builds, webui.BuildInfo{BuildRef: materialize.BuildRef{ID: id}})
		}
		up, _ := webui.ListQuery{Sort: "id"}.Apply(builds)
		again, _ := webui.ListQuery{Sort: "id"}.Apply([]webui.BuildInfo{builds[2], builds[0], builds[1]})
		for i := range up {
			if !strings.ContainsAny(a+b+c, "0") && up[i].ID != again[i].ID { // 1 and 01 are alike
				t.Errorf("%q and %q", idsOf(up), idsOf(again))
			}
		}
	})
}
