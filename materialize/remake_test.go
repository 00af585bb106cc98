package materialize_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "cosafs/materialize"
)

// remake makes the build's metal image again, which must succeed.
func (w *world) remake(t *testing.T) Result {
	t.Helper()
	r, err := w.Remake(t.Context(), metalOf("1.0"))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// otherDisk has the base disk written anew next time, as another one.
func (w *world) otherDisk(t *testing.T) {
	t.Helper()
	w.disks.salt += " again"
	if err := os.RemoveAll(filepath.Join(w.StateDir, "base")); err != nil {
		t.Fatal(err)
	}
}

// wantRecorded checks that the metal image's record is that of its file.
func (w *world) wantRecorded(t *testing.T, r Result) {
	t.Helper()
	a, content := w.recorded(t, "metal"), read(t, r.Path)
	if a.File != filepath.Base(r.Path) || a.SHA256 != sum(content) || a.Size != int64(len(content)) || a.Size != r.Size || a.Inside != nil {
		t.Errorf("recorded %+v of %+v", a, r)
	}
}

func TestRemakeOfTheSameDisk(t *testing.T) {
	w := newWorld(t)
	w.build(t, BuildOptions{})
	made := w.open(t, "1.0", "metal")
	before, err := os.Stat(made.Path)
	if err != nil {
		t.Fatal(err)
	}
	r := w.remake(t)
	if !r.Same || r.Path != made.Path || r.Size != made.Size {
		t.Errorf("made again: %+v; want %+v, and the same", r, made)
	}
	if after, err := os.Stat(made.Path); err != nil || !os.SameFile(before, after) {
		t.Errorf("the file was replaced: %v", err)
	}
	w.wantRuns(t, 1, 1, 2) // it was made, of the cached disk
}

func TestRemakeReplaces(t *testing.T) {
	w := newWorld(t)
	w.build(t, BuildOptions{})
	made := w.open(t, "1.0", "metal")
	was := read(t, made.Path)
	w.otherDisk(t)
	if r := w.open(t, "1.0", "metal"); read(t, r.Path) != was {
		t.Error("an open made it again")
	}
	r := w.remake(t)
	if r.Same || r.Path != made.Path || read(t, r.Path) == was {
		t.Errorf("made again: %+v", r)
	}
	w.wantRecorded(t, r)
	w.wantRuns(t, 1, 2, 2)
}

func TestRemakeOfCompressed(t *testing.T) {
	w := newWorld(t)
	w.build(t, BuildOptions{})
	made := w.open(t, "1.0", "metal")
	for _, build := range []string{"1.0", Next} { // there it is meant uncompressed
		packed, err := w.Compress(t.Context(), metalOf("1.0"), CompressOptions{Compressor: "xz"})
		if err != nil {
			t.Fatal(err)
		}
		r, err := w.Remake(t.Context(), metalOf(build))
		if err != nil || r.Same || r.Path != made.Path {
			t.Fatalf("made again: %+v, %v", r, err)
		}
		w.wantRecorded(t, r)
		if _, err := os.Stat(packed.Path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the compressed file: %v", err)
		}
	}
}

// What is recorded and lost is put right, with the recorded bytes or with others.
func TestRemakeOfLost(t *testing.T) {
	for name, lose := range map[string]func(path string) error{"gone": os.Remove, "damaged": changeByte} {
		for _, other := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				w := newWorld(t)
				w.build(t, BuildOptions{})
				made := w.open(t, "1.0", "metal")
				was := read(t, made.Path)
				if err := lose(made.Path); err != nil {
					t.Fatal(err)
				}
				if other {
					w.otherDisk(t)
				}
				r := w.remake(t)
				if r.Same || (read(t, r.Path) == was) == other {
					t.Errorf("made again: %+v, other %v", r, other)
				}
				w.wantRecorded(t, r)
			})
		}
	}
}

func TestRemakeOfWhatIsNotRecorded(t *testing.T) {
	w := newWorld(t)
	w.build(t, BuildOptions{})
	r := w.remake(t)
	if r.Same {
		t.Errorf("made: %+v", r)
	}
	w.wantRecorded(t, r)
}

func TestRemakeRefuses(t *testing.T) {
	w := newWorld(t)
	w.build(t, BuildOptions{})
	for kind, want := range map[string]error{"ostree": fs.ErrInvalid, "metal.xz": fs.ErrInvalid, "aws": ErrNotMakeable} {
		_, err := w.Remake(t.Context(), Target{Build: "1.0", Arch: arch, Kind: kind})
		if _, hint := ClassOf(err); !errors.Is(err, want) || hint == "" {
			t.Errorf("%s: %v, hint %q; want %v", kind, err, hint, want)
		}
	}
	_, err := w.Remake(t.Context(), Target{Build: "1.0", Arch: arch, Kind: "ostree"})
	if _, hint := ClassOf(err); !strings.Contains(hint, "cosafs build --force") {
		t.Errorf("hint %q", hint)
	}
	w.wantRuns(t, 1, 0, 0)
}

// A failure changes nothing, and is not remembered for who asks by name.
func TestRemakeFails(t *testing.T) {
	w := newWorld(t)
	w.build(t, BuildOptions{})
	made := w.open(t, "1.0", "metal")
	was := read(t, made.Path)
	w.otherDisk(t)
	w.disks.err = Fail(ClassGuest, "write disk", "", errors.New("mkfs failed"))
	for range 2 {
		if _, err := w.Remake(t.Context(), metalOf("1.0")); err == nil {
			t.Fatal("made again without a disk")
		}
	}
	if read(t, made.Path) != was {
		t.Error("the file changed")
	}
	w.disks.err = nil
	w.wantRecorded(t, w.remake(t))
	w.wantRuns(t, 1, 4, 2)
}

// A disk that failed for another image is tried again.
func TestRemakeTriesTheDiskAgain(t *testing.T) {
	w := newWorld(t)
	w.build(t, BuildOptions{})
	w.open(t, "1.0", "metal")
	w.otherDisk(t)
	w.disks.err = Fail(ClassGuest, "write disk", "", errors.New("mkfs failed"))
	if _, err := w.Make(t.Context(), Target{Build: "1.0", Arch: arch, Kind: "qemu"}); err == nil {
		t.Fatal("made without a disk")
	}
	w.disks.err = nil
	w.wantRecorded(t, w.remake(t))
}

// What is not to be compressed stays so.
func TestRemakeKeepsSkipCompression(t *testing.T) {
	w := newWorld(t)
	w.build(t, BuildOptions{})
	w.open(t, "1.0", "metal")
	b := w.records.builds["1.0"]
	a := b.Artifacts["metal"]
	a.SkipCompression = true
	b.Artifacts["metal"] = a
	w.otherDisk(t)
	w.remake(t)
	if !w.recorded(t, "metal").SkipCompression {
		t.Error("it may be compressed now")
	}
}
