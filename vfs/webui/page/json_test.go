package page_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cosafs/vfs/access"
)

// getJSON asks as a program does.
func (w *world) getJSON(t *testing.T, target string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	r.Header.Set("Accept", "application/json")
	rec := httptest.NewRecorder()
	w.handler(access.Reader).ServeHTTP(rec, r)
	return rec
}

// entries gives a listing's entries by name, with every key that is there.
func entries(t *testing.T, rec *httptest.ResponseRecorder) map[string]map[string]any {
	t.Helper()
	var l struct {
		Path    string           `json:"path"`
		Entries []map[string]any `json:"entries"`
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &l); err != nil {
		t.Fatal(err)
	}
	byName := map[string]map[string]any{}
	for _, e := range l.Entries {
		name, _ := e["name"].(string)
		byName[name] = e
	}
	return byName
}

func TestListingShape(t *testing.T) {
	w := newWorld(t)
	rec := w.getJSON(t, "/"+idNew+"/x86_64/")
	if typ := rec.Header().Get("Content-Type"); typ != "application/json" {
		t.Errorf("type %s", typ)
	}
	got := entries(t, rec)
	name := "fedora-coreos-" + idNew + "-qemu.x86_64.qcow2"
	want := map[string]any{
		"name": name, "type": "file", "size": 1712345678.0, "modified": "2026-11-22T10:00:00Z", "sha256": sha,
		"state": "local", "reason": "", "url": "/" + idNew + "/x86_64/" + name,
	}
	if diff := cmp.Diff(want, got[name]); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	// Programs that copy whole trees must not build what they see.
	could := "fedora-coreos-" + idNew + "-azure.x86_64.vhd"
	if _, ok := got[could]; ok {
		t.Errorf("%s is listed unasked", could)
	}
	all := entries(t, w.getJSON(t, "/"+idNew+"/x86_64/?all=1"))
	if e := all[could]; e == nil || e["size"] != nil || e["state"] != "buildable" {
		t.Errorf("%s: %v", could, e)
	}
}

func TestListingOfTheTop(t *testing.T) {
	got := entries(t, newWorld(t).getJSON(t, "/"))
	for name, want := range map[string][2]string{
		"builds.json": {"file", "/builds.json"}, "latest": {"link", "/latest/"}, "next": {"directory", "/next/"},
		".cosafs": {"directory", "/.cosafs/"}, idNew: {"directory", "/" + idNew + "/"},
	} {
		if e := got[name]; e["type"] != want[0] || e["url"] != want[1] {
			t.Errorf("%s: %v", name, e)
		}
	}
}

// TestListingAddresses has names that addresses must escape.
func TestListingAddresses(t *testing.T) {
	w := newWorld(t)
	files, err := w.lib.snap.Builds[0].Arches[1].Files()
	if err != nil {
		t.Fatal(err)
	}
	files[0].Name = "a b%2F?#ü:x"
	e := entries(t, w.getJSON(t, "/"+idNew+"/x86_64/"))[files[0].Name]
	if want := "/" + idNew + "/x86_64/a%20b%252F%3F%23%C3%BC:x"; e["url"] != want {
		t.Errorf("%v, want %s", e["url"], want)
	}
}
