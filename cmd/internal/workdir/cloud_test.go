package workdir

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"testing"

	"cosafs/index"
)

// Regions that are recorded at the same time are all there, and what is recorded
// already changes nothing, not even the stamp.
func TestAddAMIs(t *testing.T) {
	dir := newDir(t)
	add(t, openRecords(t, dir), 1)
	put(t, filepath.Join(dir, "src", "config", "image.yaml"), "size: 1")
	w, err := Open(t.Context(), Config{Dir: dir, Arch: testArch})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close(t.Context()) }() // no jobs ran
	id := ids(t, w.records)[0]
	var g sync.WaitGroup
	for i := range 8 {
		g.Go(func() {
			ami := index.AMI{Region: fmt.Sprint("region-", i), HVM: "ami-1", Snapshot: "snap-1"}
			if err := w.AddAMIs(t.Context(), id, testArch, []index.AMI{ami}); err != nil {
				t.Error(err)
			}
		})
	}
	g.Wait()
	amis, err := w.AMIs(t.Context(), id, testArch)
	if err != nil || len(amis) != 8 {
		t.Fatalf("%d AMIs, %v", len(amis), err)
	}
	meta := filepath.Join(dir, "builds", id, testArch, "meta.json")
	before := get(t, meta)
	if err := w.AddAMIs(t.Context(), id, testArch, amis); err != nil || get(t, meta) != before {
		t.Errorf("the same again: %v, meta.json changed: %v", err, get(t, meta) != before)
	}
	if err := w.AddAMIs(t.Context(), "9.9", testArch, amis); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such build: %v", err)
	}
	if d, err := w.PlatformDisk(t.Context(), "latest", testArch, "aws"); err != nil || d.Build.ID != id {
		t.Errorf("disk of the latest: %v, %v", d.Build.ID, err)
	}
	if _, err := w.PlatformDisk(t.Context(), "9.9", testArch, "aws"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("disk of no build: %v", err)
	}
}
