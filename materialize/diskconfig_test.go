package materialize_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "cosafs/materialize"
)

// pruned is a world with a build that has a disk and an image, of which the commit is
// gone: from the repositories, and with the ostree artifact. The configuration is
// another one by now, and the program another process.
func pruned(t *testing.T) (w *world, qemu Result) {
	t.Helper()
	w = newWorld(t)
	qemu = w.open(t, Next, "qemu")
	b := w.records.builds[qemu.Build]
	if err := os.Remove(filepath.Join(b.Dir, b.Artifacts["ostree"].File)); err != nil {
		t.Fatal(err)
	}
	clear(w.commits.files)
	clear(w.commits.archive)
	w.disks.image, w.disks.platforms = `{"size":9}`, otherPlatforms
	return w.restarted(t), qemu
}

// A disk in the cache is enough for all that is made of it.
func TestDiskOutlivesItsCommit(t *testing.T) {
	w, qemu := pruned(t)
	b := w.records.builds[qemu.Build]
	wantPlan(t, w.plan(t, b.ID, "azure"), StateView, "(commit) (base disk) (azure)")
	if r, got := w.look(t, b.ID, "azure"); !strings.HasPrefix(got, "azure disk of "+b.Commit) {
		t.Errorf("got %+v, %.80q", r, got)
	}
	if st, ok := w.StatView(t.Context(), b, "azure"); !ok || st.Size == 0 {
		t.Errorf("stat: %+v, %t", st, ok)
	}
	want := read(t, qemu.Path)
	if err := os.Remove(qemu.Path); err != nil {
		t.Fatal(err)
	}
	wantPlan(t, w.plan(t, b.ID, "qemu"), StateBuildable, "(commit) (base disk) qemu")
	if got := read(t, w.open(t, b.ID, "qemu").Path); got != want {
		t.Error("the image came out as another one")
	}
	w.open(t, b.ID, "metal")
	w.wantRuns(t, 1, 1, 3)
	w.disks.mu.Lock() // the view's sha256 may still be computed
	defer w.disks.mu.Unlock()
	if got := slices.Compact(slices.Clone(w.disks.tables)); !slices.Equal(got, []string{"{}"}) {
		t.Errorf("made with %q, want the commit's", got)
	}
}

// That nobody can tell whether the commit is there is no proof that it isn't.
func TestDiskOfACommitThatCannotBeRead(t *testing.T) {
	w, qemu := pruned(t)
	w.commits.unread = fs.ErrPermission
	target := Target{Build: qemu.Build, Arch: arch, Kind: "azure"}
	if _, v, err := w.Open(t.Context(), target); v != nil || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("open: %v, %v; want fs.ErrPermission", v, err)
	}
	w.wantRuns(t, 1, 1, 1)
}

// A damaged record is as good as none, and so is another commit's.
func TestDiskWithoutItsConfiguration(t *testing.T) {
	for name, record := range map[string]string{
		"torn": `{"commit":"`, "another": `{"commit":"x","image":"e30=","platforms":"e30="}`, "empty": `{}`,
	} {
		w, qemu := pruned(t)
		records, err := filepath.Glob(filepath.Join(w.StateDir, "base", "*", "config.json"))
		if err != nil || len(records) != 1 {
			t.Fatal(records, err)
		}
		write(t, records[0], record)
		_, v, err := w.Open(t.Context(), Target{Build: qemu.Build, Arch: arch, Kind: "azure"})
		if _, hint := ClassOf(err); v != nil || !errors.Is(err, fs.ErrNotExist) || hint == "" {
			t.Errorf("%s: %v, %v; want ErrNotExist and a hint", name, v, err)
		}
		w.wantRuns(t, 1, 1, 1)
	}
}

// The disk of a commit that is imported first is written with that commit's
// configuration, for views and for whoever reads the disk itself.
func TestDiskOfAnImportedCommit(t *testing.T) {
	for _, use := range []func(w *world, target Target){
		func(w *world, target Target) { w.look(t, target.Build, target.Kind) },
		func(w *world, target Target) {
			d, err := w.PlatformDisk(t.Context(), target)
			if err != nil {
				t.Fatal(err)
			}
			readDisk(t, d)
		},
	} {
		w := newWorld(t)
		id := w.build(t, BuildOptions{}).Build
		clear(w.commits.files)
		use(w, Target{Build: id, Arch: arch, Kind: "azure"})
		if got := strings.Join(w.disks.images, " "); w.commits.imports != 1 || got != `{"imported":true}` {
			t.Errorf("%d imports, written with %s", w.commits.imports, got)
		}
	}
}
