package workdir

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"cosafs/index"
)

// A list that lies still is parsed once; one that was replaced by another of
// the same size and time, or changed a moment ago, is read.
func TestListIsReadWhenItChanged(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "builds"), 0o755); err != nil {
		t.Fatal(err)
	}
	r, err := newRecords(dir, Config{Arch: "x86_64"})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "builds", listFile)
	old := time.Now().Add(-time.Hour)
	write := func(id string, at time.Time) {
		t.Helper()
		body := `{"schema-version":"1.0.0","builds":[{"id":"` + id + `","arches":["x86_64"]}]}`
		if err := os.WriteFile(path+".new", []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path+".new", at, at); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	read := func(want index.BuildID) *index.Builds {
		t.Helper()
		list, err := r.list(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := list.Latest(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		return list
	}
	write("1.1", old)
	if first := read("1.1"); first != read("1.1") {
		t.Error("an old list was parsed twice")
	}
	write("1.2", old)
	read("1.2")
	write("1.3", time.Now())
	if first := read("1.3"); first == read("1.3") {
		t.Error("a list that was changed just now was kept")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	read("")
}
