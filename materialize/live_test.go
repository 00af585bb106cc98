package materialize_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	. "cosafs/materialize"
)

// fakeLive makes files whose content is their kind.
type fakeLive struct {
	t    *testing.T
	runs int
	salt string // of the content
	// Of the last system, what it installs; and of osmet files, how many were packed.
	osmets map[string]string
	packed int
}

func (*fakeLive) LiveKinds() []string { return []string{"live-iso", "live-rootfs"} }

// PackOsmet says what of.
func (l *fakeLive) PackOsmet(_ context.Context, req OsmetRequest, _ *Task) error {
	l.packed++
	if sum(read(l.t, req.Disk)) != req.SHA256 {
		l.t.Errorf("%s hasn't the sha256 that is told", req.Disk)
	}
	write(l.t, req.Out, fmt.Sprint(req.Sector))
	return nil
}

func (l *fakeLive) MakeLive(_ context.Context, req LiveRequest, task *Task) (map[string]string, error) {
	l.runs++
	l.osmets = map[string]string{}
	for name, path := range req.Osmets {
		l.osmets[name] = read(l.t, path)
	}
	made := map[string]string{}
	for _, kind := range l.LiveKinds() {
		made[kind] = filepath.Join(task.Scratch, kind)
		write(l.t, made[kind], kind+l.salt)
	}
	return made, nil
}

// Whichever of the live artifacts is opened, all are recorded, and made once.
func TestLiveIsMadeTogether(t *testing.T) {
	w := newWorld(t)
	l := &fakeLive{t: t}
	w.Live = l
	id := w.open(t, Next, "live-rootfs").Build
	for _, kind := range l.LiveKinds() {
		if got := read(t, w.open(t, id, kind).Path); got != kind {
			t.Errorf("%s has %q", kind, got)
		}
	}
	if l.runs != 1 {
		t.Errorf("made %d times, want once", l.runs)
	}
	w.wantRuns(t, 1, 0, 0)
}

// One whose file is gone is made again of the commit, beside those that are here, and
// must come out as recorded.
func TestLiveIsMadeAgain(t *testing.T) {
	w := newWorld(t)
	l := &fakeLive{t: t}
	w.Live = l
	r := w.open(t, Next, "live-iso")
	root := w.open(t, r.Build, "live-rootfs").Path
	before, err := os.Stat(root)
	if err := errors.Join(err, os.Remove(r.Path)); err != nil {
		t.Fatal(err)
	}
	w.idle()
	if p := w.plan(t, r.Build, "live-iso"); p.State != StateBuildable || len(p.Steps) != 2 || !p.Steps[0].Done {
		t.Errorf("plan = %+v; want buildable of the commit", p)
	}
	l.salt = "other"
	if _, err := w.Make(t.Context(), Target{Build: r.Build, Arch: arch, Kind: "live-iso"}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("another image: %v, want ErrCorrupt", err)
	}
	l.salt = ""
	if err := w.Retry(t.Context(), Target{Build: r.Build, Arch: arch, Kind: "live-iso"}); err != nil {
		t.Fatal(err)
	}
	if got := read(t, w.open(t, r.Build, "live-iso").Path); got != "live-iso" {
		t.Errorf("made again: %q", got)
	}
	if now, err := os.Stat(root); err != nil || !os.SameFile(before, now) {
		t.Errorf("what was here isn't the same file: %v", err)
	}
}

// If one of them is recorded with other bytes, none of the new ones is recorded beside it:
// an initramfs knows only the root it was made with.
func TestLiveThatDiffersIsNotMixed(t *testing.T) {
	w := newWorld(t)
	l := &fakeLive{t: t}
	w.Live = l
	id := w.build(t, BuildOptions{}).Build
	other := filepath.Join(t.TempDir(), "other")
	write(t, other, "other")
	a := Artifact{Kind: "live-rootfs", File: w.records.FileName("live-rootfs", "tiny", id, arch), Size: 5, SHA256: sum("other")}
	if err := w.records.AddArtifact(t.Context(), id, arch, a, other); err != nil {
		t.Fatal(err)
	}
	_, err := w.Make(t.Context(), Target{Build: id, Arch: arch, Kind: "live-iso"})
	if _, hint := ClassOf(err); !errors.Is(err, ErrCorrupt) || hint == "" {
		t.Errorf("open: %v, want ErrCorrupt and a hint", err)
	}
	b, err := w.records.Build(t.Context(), id, arch)
	if _, ok := b.Artifacts["live-iso"]; err != nil || ok {
		t.Errorf("live-iso is recorded beside another root: %v", err)
	}
}

// The live system is a function of the commit: making it again by name is refused.
func TestLiveIsNotRemade(t *testing.T) {
	w := newWorld(t)
	w.Live = &fakeLive{t: t}
	w.build(t, BuildOptions{})
	_, err := w.Remake(t.Context(), Target{Build: "1.0", Arch: arch, Kind: "live-iso"})
	if class, hint := ClassOf(err); !errors.Is(err, fs.ErrInvalid) || class != ClassConfig || hint == "" {
		t.Errorf("Remake = %v", err)
	}
}

// A live system with coreos-installer has inside what the disks of bare metal are written
// from. That is made once, and made again as long as these disks are cached.
func TestLiveInstalls(t *testing.T) {
	w := newWorld(t)
	l := &fakeLive{t: t}
	w.Live = l
	b := w.build(t, BuildOptions{})
	build, err := w.records.Build(t.Context(), b.Build, arch)
	if err != nil {
		t.Fatal(err)
	}
	w.commits.files[build.Commit]["/usr/bin/coreos-installer"] = "a program"
	// A look while the commit isn't here must not decide for the time when it is.
	files := w.commits.files[build.Commit]
	delete(w.commits.files, build.Commit)
	w.plan(t, b.Build, "live-iso")
	w.commits.files[build.Commit] = files
	before := w.disks.count(&w.disks.writes)
	if p := w.plan(t, b.Build, "live-iso"); len(p.Steps) != 3 || p.Steps[1].Do != "osmet" {
		t.Errorf("plan = %+v; want the osmet files in it", p)
	}
	iso := w.open(t, b.Build, "live-iso").Path
	want := map[string]string{
		w.records.FileName("metal", build.Name, b.Build, arch) + ".osmet":   "512",
		w.records.FileName("metal4k", build.Name, b.Build, arch) + ".osmet": "4096",
	}
	if diff := cmp.Diff(want, l.osmets); diff != "" {
		t.Errorf("osmet files (-want +got):\n%s", diff)
	}
	if n := w.disks.count(&w.disks.writes) - before; n != 2 {
		t.Errorf("%d base disks written, want 2", n)
	}
	if err := os.Remove(iso); err != nil {
		t.Fatal(err)
	}
	w.open(t, b.Build, "live-iso")
	if l.packed != 2 || l.runs != 2 {
		t.Errorf("packed %d times for %d systems, want 2 and 2", l.packed, l.runs)
	}
	if err := errors.Join(os.Remove(iso), os.RemoveAll(filepath.Join(w.StateDir, "base"))); err != nil {
		t.Fatal(err)
	}
	_, err = w.Make(t.Context(), Target{Build: b.Build, Arch: arch, Kind: "live-iso"})
	if !errors.Is(err, ErrGone) {
		t.Errorf("without the disks: %v, want ErrGone", err)
	}
}
