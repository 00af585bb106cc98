package workdir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"cosafs/materialize"
)

// die leaves a note as a killed process does: its lock goes, the note stays.
func die(t *testing.T, r *records, n note) {
	t.Helper()
	begun, err := r.journal.begin(n)
	if err != nil {
		t.Fatal(err)
	}
	if err := begun.leave(); err != nil {
		t.Fatal(err)
	}
}

func TestRecoverFinishesPublishing(t *testing.T) {
	for name, crash := range map[string]struct {
		after func(r *records, n materialize.NewBuild) error
		want  []string
	}{
		"before anything":     {func(*records, materialize.NewBuild) error { return nil }, []string{"1.1"}},
		"after the directory": {publishDir, []string{"1.2", "1.1"}},
		"after builds.json":   {func(r *records, n materialize.NewBuild) error { return errors.Join(publishDir(r, n), insert(r, n)) }, []string{"1.2", "1.1"}},
		"after latest, at last": {func(r *records, n materialize.NewBuild) error {
			return errors.Join(publishDir(r, n), insert(r, n), latest(r))
		}, []string{"1.2", "1.1"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := newDir(t)
			r := openRecords(t, dir)
			add(t, r, 1)
			n := newBuild(t, r, 2)
			die(t, r, note{ID: n.ID, Arch: n.Arch})
			if err := crash.after(r, n); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time there is nothing to do
				next := openRecords(t, dir)
				if err := next.recover(t.Context()); err != nil {
					t.Fatal(err)
				}
				wantNames(t, "listed", ids(t, next), crash.want...)
				wantLatest(t, next, crash.want[0])
				wantNames(t, "journal", readNames(t, r.journal.dir))
			}
		})
	}
}

func publishDir(r *records, n materialize.NewBuild) error {
	meta, err := newMeta(n)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(n.Staging, "meta.json"), meta.Bytes(), 0o644); err != nil {
		return err
	}
	if err := os.MkdirAll(r.path(n.ID), 0o755); err != nil {
		return err
	}
	return os.Rename(n.Staging, r.path(n.ID+"/"+n.Arch))
}

func insert(r *records, n materialize.NewBuild) error {
	path := r.path("builds.json")
	return os.WriteFile(path, []byte(`{"schema-version": "1.0.0", "builds": [{"id": "`+n.ID+`", "arches": ["x86_64"]}, {"id": "1.1", "arches": ["x86_64"]}]}`), 0o644)
}

func latest(r *records) error {
	return errors.Join(os.Remove(r.path("latest")), os.Symlink("1.2", r.path("latest")))
}

// What a living process is publishing is its own affair.
func TestRecoverLeavesTheLivingAlone(t *testing.T) {
	dir := newDir(t)
	r := openRecords(t, dir)
	add(t, r, 1)
	n := newBuild(t, r, 2)
	begun, err := r.journal.begin(note{ID: n.ID, Arch: n.Arch})
	if err != nil {
		t.Fatal(err)
	}
	if err := publishDir(r, n); err != nil {
		t.Fatal(err)
	}
	if err := openRecords(t, dir).recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantNames(t, "listed", ids(t, r), "1.1")
	if err := errors.Join(r.enlist(t.Context(), n.ID, n.Arch), begun.strike()); err != nil {
		t.Error(err)
	}
	wantNames(t, "listed", ids(t, r), "1.2", "1.1")
}

// A file that was moved in but not recorded would be in the way of the next one.
func TestRecoverOfAnArtifact(t *testing.T) {
	dir := newDir(t)
	r := openRecords(t, dir)
	add(t, r, 1)
	const file = "tiny-1.1-qemu.x86_64.qcow2"
	image := r.path("1.1/x86_64/" + file)
	die(t, r, note{ID: "1.1", Arch: testArch, File: file})
	put(t, image, "not recorded")
	if err := openRecords(t, dir).recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(image); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file that nobody recorded: %v", err)
	}

	if err := addImage(t, r, "1.1", "image"); err != nil {
		t.Fatal(err)
	}
	die(t, r, note{ID: "1.1", Arch: testArch, File: file})
	if err := openRecords(t, dir).recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if get(t, image) != "image" {
		t.Error("the recorded file was changed")
	}
}

func TestDamagedNotes(t *testing.T) {
	dir := newDir(t)
	r := openRecords(t, dir)
	add(t, r, 1)
	for name, text := range map[string]string{"empty": "", "cut": `{"id":"1.`, "escape": `{"id":"..","arch":"x86_64"}`, "file": `{"id":"1.1","arch":"x86_64","file":"../../builds.json"}`} {
		put(t, filepath.Join(r.journal.dir, "note-"+name), text)
	}
	if err := openRecords(t, dir).recover(t.Context()); err != nil {
		t.Error(err)
	}
	wantNames(t, "listed", ids(t, r), "1.1")
}

// Records that can't be finished now are finished by the next start.
func TestRecoverKeepsWhatItCannotFinish(t *testing.T) {
	dir := newDir(t)
	r := openRecords(t, dir)
	add(t, r, 1)
	n := newBuild(t, r, 2)
	die(t, r, note{ID: n.ID, Arch: n.Arch})
	if err := publishDir(r, n); err != nil {
		t.Fatal(err)
	}
	lock := r.path(".builds.json.lock")
	put(t, lock, "x|otherhost.example|4711|1")
	if err := r.recover(t.Context()); err == nil {
		t.Error("recover got past a lock")
	}
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	if err := r.recover(t.Context()); err != nil {
		t.Error(err)
	}
	wantNames(t, "listed", ids(t, r), "1.2", "1.1")
}
