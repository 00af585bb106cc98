package materialize_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "cosafs/materialize"
)

func TestRecordedFileThatIsGone(t *testing.T) {
	w := newWorld(t)
	r := w.open(t, Next, "qemu")
	if err := errors.Join(os.Remove(r.Path), os.RemoveAll(filepath.Join(w.StateDir, "base"))); err != nil {
		t.Fatal(err)
	}
	for _, build := range []string{r.Build, Next} {
		_, err := w.Make(t.Context(), Target{Build: build, Arch: arch, Kind: "qemu"})
		if _, hint := ClassOf(err); !errors.Is(err, fs.ErrNotExist) || hint == "" {
			t.Errorf("open %s: %v, want ErrNotExist and a hint", build, err)
		}
	}
	w.wantRuns(t, 1, 1, 1) // an image built again is another image
	p, err := w.Plan(t.Context(), Target{Build: r.Build, Arch: arch, Kind: "qemu"})
	if err != nil || p.State != StateGone || len(p.Steps) != 0 {
		t.Errorf("plan = %+v, %v; want gone", p, err)
	}
}

// A recorded image whose file is gone comes back from the disk it was made of.
func TestRecordedFileIsMadeAgain(t *testing.T) {
	w := newWorld(t)
	r := w.open(t, Next, "qemu")
	want, err := os.ReadFile(r.Path)
	if err := errors.Join(err, os.Remove(r.Path)); err != nil {
		t.Fatal(err)
	}
	w.idle()
	target := Target{Build: r.Build, Arch: arch, Kind: "qemu"}
	if p, err := w.Plan(t.Context(), target); err != nil || p.State != StateBuildable || len(p.Steps) != 3 || !p.Steps[1].Done {
		t.Errorf("plan = %+v, %v; want buildable from the cached disk", p, err)
	}
	again := w.open(t, r.Build, "qemu")
	if got, err := os.ReadFile(again.Path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("made again: %q, %v, want %q", got, err, want)
	}
	w.wantRuns(t, 1, 1, 2)
}

// What comes out with other bytes than the recorded ones never takes their place.
func TestRecordedFileMadeAgainDiffers(t *testing.T) {
	w := newWorld(t)
	r := w.open(t, Next, "qemu")
	if err := os.Remove(r.Path); err != nil {
		t.Fatal(err)
	}
	w.disks.making = func(base string) {
		if err := os.WriteFile(base, append([]byte("other"), make([]byte, 1<<20-5)...), 0o644); err != nil {
			t.Error(err)
		}
	}
	_, err := w.Make(t.Context(), Target{Build: r.Build, Arch: arch, Kind: "qemu"})
	if _, hint := ClassOf(err); !errors.Is(err, ErrCorrupt) || hint == "" {
		t.Errorf("open: %v, want ErrCorrupt and a hint", err)
	}
	if _, err := os.Stat(r.Path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("stat %s: %v, want fs.ErrNotExist", r.Path, err)
	}
}

// A build's image is made with the configuration it was composed with.
func TestImageJSONIsTheCommits(t *testing.T) {
	w := newWorld(t)
	id := w.build(t, BuildOptions{}).Build
	w.disks.image = `{"size":2}`
	w.open(t, id, "qemu")
	if got := w.disks.images; len(got) != 1 || got[0] != `{"size":1}` {
		t.Errorf("the disk was written with %q", got)
	}
}

func TestImageJSONOfAnOldCommit(t *testing.T) {
	w := newWorld(t)
	id := w.build(t, BuildOptions{}).Build
	w.commits.put(w.records.builds[id].Commit, map[string]string{}) // cosa before 2022-06
	w.disks.image = `{"size":2}`
	w.open(t, id, "qemu")
	if got := w.disks.images; len(got) != 1 || got[0] != `{"size":2}` {
		t.Errorf("the disk was written with %q, want today's configuration", got)
	}
}

func TestDamagedImageJSON(t *testing.T) {
	w := newWorld(t)
	id := w.build(t, BuildOptions{}).Build
	w.commits.put(w.records.builds[id].Commit, map[string]string{imagePath: "{"})
	_, err := w.Make(t.Context(), Target{Build: id, Arch: arch, Kind: "qemu"})
	if class, _ := ClassOf(err); class != ClassConfig {
		t.Errorf("open = %v (%s)", err, class)
	}
	w.wantRuns(t, 1, 0, 0)
}

func TestCommitComesFromTheArtifact(t *testing.T) {
	w := newWorld(t)
	id := w.build(t, BuildOptions{}).Build
	b := w.records.builds[id]
	w.commits.files, w.commits.refs = map[string]map[string]string{}, map[string]string{}
	w.open(t, id, "qemu")
	if w.commits.imports != 1 || w.commits.refs[id] != b.Commit {
		t.Errorf("%d imports, refs %v: the commit has to be named, or it is pruned", w.commits.imports, w.commits.refs)
	}
}

// A build of which only the metadata was fetched can't be made more of, and says so.
func TestCommitIsNowhere(t *testing.T) {
	w := newWorld(t)
	id := w.build(t, BuildOptions{}).Build
	w.commits.files, w.commits.archive = map[string]map[string]string{}, nil
	if err := os.Remove(filepath.Join(w.records.builds[id].Dir, "tiny-1.0-ostree.x86_64.tar")); err != nil {
		t.Fatal(err)
	}
	target := Target{Build: id, Arch: arch, Kind: "qemu"}
	if p, err := w.Plan(t.Context(), target); err != nil || p.State == StateBuildable || !strings.Contains(p.Reason, "commit") {
		t.Errorf("plan = %s: %s, %v", p.State, p.Reason, err)
	}
	if _, err := w.Make(t.Context(), target); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open = %v", err)
	}
	w.wantRuns(t, 1, 0, 0)
}

// The commit of a build that has no ostree artifact is exported, not drawn on a disk.
func TestExportOfARecordedBuild(t *testing.T) {
	w := newWorld(t)
	id := w.build(t, BuildOptions{}).Build
	b := w.records.builds[id]
	b.Artifacts = map[string]Artifact{}
	w.records.builds[id] = b
	if err := os.Remove(filepath.Join(b.Dir, "tiny-1.0-ostree.x86_64.tar")); err != nil {
		t.Fatal(err)
	}
	if got := read(t, w.open(t, id, "ostree").Path); got != b.Commit+" 1.0 tiny/main" {
		t.Errorf("artifact = %q", got)
	}
	w.wantRuns(t, 1, 0, 0)
}

func TestRecordedDigest(t *testing.T) {
	w := newWorld(t)
	r := w.open(t, Next, "metal")
	a := w.records.builds[r.Build].Artifacts["metal"]
	if want := sum(read(t, r.Path)); a.SHA256 != want || a.Size != r.Size || r.Size != int64(len(read(t, r.Path))) {
		t.Errorf("recorded %+v, want sha256 %s of %d bytes", a, want, r.Size)
	}
	if a.File != "tiny-1.0-metal.x86_64.raw" {
		t.Errorf("file name %q", a.File)
	}
}
