package materialize_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	. "cosafs/materialize"
)

// readDisk uses a platform's disk, and gives its bytes.
func readDisk(t *testing.T, d PlatformDisk) string {
	t.Helper()
	var b []byte
	err := d.Use(t.Context(), func(v View) (err error) {
		b, err = io.ReadAll(io.NewSectionReader(v, 0, v.Size()))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPlatformDisk(t *testing.T) {
	w := newWorld(t)
	id := w.build(t, BuildOptions{}).Build
	target := Target{Build: id, Arch: arch, Kind: "azure"}
	d, err := w.PlatformDisk(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	w.wantRuns(t, 1, 0, 0) // nothing is written for one that nobody uses
	want := "disk of azure disk of " + w.records.builds[id].Commit
	for range 2 {
		if got := readDisk(t, d); !strings.HasPrefix(got, want) {
			t.Errorf("the disk is %.80q, want %q", got, want)
		}
	}
	w.wantRuns(t, 1, 1, 0)
	if d.Build.ID != id || !strings.Contains(string(d.ImageJSON), "size") {
		t.Errorf("of build %s, image.json %s", d.Build.ID, d.ImageJSON)
	}
	again, err := w.PlatformDisk(t.Context(), target)
	if err != nil || again.Key != d.Key {
		t.Errorf("key %s, then %s, %v", d.Key, again.Key, err)
	}
	target.Kind = "qemu"
	if other, err := w.PlatformDisk(t.Context(), target); err != nil || other.Key == d.Key {
		t.Errorf("key of another platform: %s, %v", other.Key, err)
	}
	for _, kind := range []string{KindOSTree, "toaster"} {
		target.Kind = kind
		d, err := w.PlatformDisk(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Use(t.Context(), func(View) error { return nil }); !errors.Is(err, ErrNotMakeable) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestPlatformDiskGivesTheErrorOfItsUse(t *testing.T) {
	w := newWorld(t)
	id := w.build(t, BuildOptions{}).Build
	d, err := w.PlatformDisk(t.Context(), Target{Build: id, Arch: arch, Kind: "azure"})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Use(t.Context(), func(View) error { return io.ErrShortWrite }); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("got %v", err)
	}
}
