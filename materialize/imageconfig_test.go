package materialize_test

import (
	"slices"
	"testing"
	"testing/synctest"

	. "cosafs/materialize"
)

const otherPlatforms = `{"aws":{"kernel_arguments":["x=1"]}}`

// A build's images are made with the table of platforms that it was composed with.
func TestPlatformsJSONIsTheCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		id := w.build(t, BuildOptions{}).Build
		w.disks.platforms = otherPlatforms
		w.open(t, id, "qemu")
		w.wantTables(t, `{}`)
		if got := string(w.composer.last().PlatformsJSON); got != `{}` {
			t.Errorf("composed with %q", got)
		}
		w.openView(t, id)
		synctest.Wait()
		w.wantTables(t, `{}`, `{}`, `{}`) // the view was opened for its sha256, too
		w.wantRuns(t, 1, 1, 1)            // the table of one commit gives one disk
	})
}

// A commit of an older cosa has none; today's is taken then.
func TestPlatformsJSONOfAnOldCommit(t *testing.T) {
	w := newWorld(t)
	id := w.build(t, BuildOptions{}).Build
	w.commits.put(w.records.builds[id].Commit, map[string]string{imagePath: `{"size":3}`}) // cosa before 2024-02
	w.disks.platforms = otherPlatforms
	w.open(t, id, "qemu")
	w.wantTables(t, otherPlatforms)
	if got := w.disks.images; !slices.Equal(got, []string{`{"size":3}`}) {
		t.Errorf("the disk was written with %q, want the commit's image.json", got)
	}
}

func TestDamagedPlatformsJSON(t *testing.T) {
	w := newWorld(t)
	id := w.build(t, BuildOptions{}).Build
	w.commits.put(w.records.builds[id].Commit, map[string]string{imagePath: `{}`, platformsPath: "{"})
	_, err := w.Make(t.Context(), Target{Build: id, Arch: arch, Kind: "qemu"})
	if class, _ := ClassOf(err); class != ClassConfig {
		t.Errorf("open = %v (%s)", err, class)
	}
	w.wantRuns(t, 1, 0, 0)
}

// A change of platforms.yaml makes a new build.
func TestPlatformsAreInputs(t *testing.T) {
	w := newWorld(t)
	first := w.open(t, Next, "qemu")
	w.disks.platforms = otherPlatforms
	if second := w.open(t, Next, "qemu"); second.Build == first.Build {
		t.Errorf("both are of build %s", first.Build)
	}
	w.wantTables(t, `{}`, otherPlatforms)
}

// wantTables checks the tables of platforms that disks and views were made with.
func (w *world) wantTables(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(w.disks.tables, want) {
		t.Errorf("made with %q, want %q", w.disks.tables, want)
	}
}

// openView opens and closes the view of the build's disk for azure.
func (w *world) openView(t *testing.T, build string) {
	t.Helper()
	_, v, err := w.Open(t.Context(), Target{Build: build, Arch: arch, Kind: "azure"})
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
}
