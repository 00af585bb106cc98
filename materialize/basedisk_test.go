package materialize_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	. "cosafs/materialize"
)

func TestOneDiskForAllImages(t *testing.T) {
	w := newWorld(t)
	w.build(t, BuildOptions{Kinds: []string{"ostree", "metal", "qemu"}}) // begins the disk
	w.open(t, Next, "metal")
	w.open(t, Next, "qemu")
	w.open(t, "1.0", "qemu")
	w.wantRuns(t, 1, 1, 2)
}

func TestBuildWithoutImagesBeginsNoDisk(t *testing.T) {
	w := newWorld(t)
	w.build(t, BuildOptions{Kinds: []string{"ostree"}})
	w.wantRuns(t, 1, 0, 0)
}

// metal4k needs a disk of its own, with its sectors.
func TestSectors(t *testing.T) {
	w := newWorld(t)
	w.open(t, Next, "metal")
	w.open(t, Next, "metal4k")
	if !slices.Equal(w.disks.sectors, []int{512, 4096}) {
		t.Errorf("disks with sectors of %v bytes", w.disks.sectors)
	}
}

// bases lists the cached base disks.
func (w *world) bases(t *testing.T) []string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(w.StateDir, "base", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

func TestDamagedBaseDiskIsWrittenAgain(t *testing.T) {
	for name, damage := range map[string]func(dir string) error{
		"record cut":   func(dir string) error { return os.Truncate(filepath.Join(dir, "base.json"), 5) },
		"record gone":  func(dir string) error { return os.Remove(filepath.Join(dir, "base.json")) },
		"disk cut":     func(dir string) error { return os.Truncate(filepath.Join(dir, "disk.raw"), 5) },
		"disk gone":    func(dir string) error { return os.Remove(filepath.Join(dir, "disk.raw")) },
		"cache wiped":  os.RemoveAll,
		"half cleared": func(dir string) error { return os.Rename(filepath.Join(dir, "base.json"), filepath.Join(dir, "old")) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.open(t, Next, "metal")
			if err := damage(w.bases(t)[0]); err != nil {
				t.Fatal(err)
			}
			w.open(t, Next, "qemu")
			w.wantRuns(t, 1, 2, 2)
		})
	}
}

// The cache moves with its working directory.
func TestMovedBaseDisk(t *testing.T) {
	w := newWorld(t)
	w.open(t, Next, "metal")
	moved := filepath.Join(w.dir, "moved")
	if err := os.Mkdir(moved, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"base", "built"} {
		if err := os.Rename(filepath.Join(w.StateDir, name), filepath.Join(moved, name)); err != nil {
			t.Fatal(err)
		}
	}
	w.StateDir = moved
	w.open(t, Next, "qemu")
	w.wantRuns(t, 1, 1, 2)
}

// Clearing deletes the oldest disks, but none that an image is being made of.
func TestClearingKeepsHeldDisks(t *testing.T) {
	w := newWorld(t)
	var held string
	w.disks.making = func(base string) {
		if held != "" {
			return
		}
		held = base
		for range 6 {
			id := w.build(t, BuildOptions{Force: true}).Build
			w.open(t, id, "metal")
		}
		if _, err := os.Stat(held); err != nil {
			t.Errorf("the disk in use: %v", err)
		}
	}
	w.open(t, Next, "metal")
	if n := len(w.bases(t)); n != 5 {
		t.Errorf("%d disks are cached, want 4 and the one that was in use", n)
	}
	w.disks.making = nil
	w.open(t, w.build(t, BuildOptions{Force: true}).Build, "metal")
	if n := len(w.bases(t)); n != 4 {
		t.Errorf("%d disks are cached, want 4", n)
	}
	if _, err := os.Stat(held); err == nil {
		t.Error("the oldest disk is still there when nobody uses it")
	}
}
