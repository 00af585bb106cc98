package materialize_test

import (
	"errors"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	. "cosafs/materialize"
)

// look opens a view, reads it whole and closes it.
func (w *world) look(t *testing.T, build, kind string) (Result, string) {
	t.Helper()
	r, v, err := w.Open(t.Context(), Target{Build: build, Arch: arch, Kind: kind})
	if err != nil || v == nil {
		t.Fatalf("open %s/%s: view %v, %v", build, kind, v, err)
	}
	b, err := io.ReadAll(io.NewSectionReader(v, 0, v.Size()))
	if err := errors.Join(err, v.Close()); err != nil || r.Size != int64(len(b)) {
		t.Fatalf("%s/%s: %d bytes, size %d, %v", build, kind, len(b), r.Size, err)
	}
	return r, string(b)
}

func TestViewIsNotStored(t *testing.T) {
	w := newWorld(t)
	id := w.build(t, BuildOptions{}).Build
	want := "azure disk of " + w.records.builds[id].Commit
	for range 2 {
		if r, got := w.look(t, id, "azure"); r.Build != id || r.Path != "" || !strings.HasPrefix(got, want) {
			t.Errorf("got %+v, %.80q; want %q", r, got, want)
		}
	}
	w.wantRuns(t, 1, 1, 0)
	if a, ok := w.records.builds[id].Artifacts["azure"]; ok {
		t.Errorf("recorded: %+v", a)
	}
	if r, got := w.look(t, Next, "azure"); r.Build != id || !strings.HasPrefix(got, want) {
		t.Errorf("of next: %+v, %.80q", r, got)
	}
	w.wantRuns(t, 1, 1, 0)
}

// Opening a view in an empty build directory makes the build and its disk.
func TestViewOfNext(t *testing.T) {
	w := newWorld(t)
	if r, _ := w.look(t, Next, "azure"); !r.New || w.records.builds[r.Build].Commit == "" {
		t.Errorf("got %+v", r)
	}
	w.wantRuns(t, 1, 1, 0)
}

func TestPlanOfView(t *testing.T) {
	w := newWorld(t)
	w.build(t, BuildOptions{})
	wantPlan(t, w.plan(t, "1.0", "azure"), StateBuildable, "(commit) base disk azure")
	stat := func() (ViewStat, bool) { return w.StatView(t.Context(), w.records.builds["1.0"], "azure") }
	if st, ok := stat(); ok {
		t.Errorf("%+v of a view without a disk", st)
	}
	r, _ := w.look(t, "1.0", "azure")
	wantPlan(t, w.plan(t, "1.0", "azure"), StateView, "(commit) (base disk) (azure)")
	wantPlan(t, w.plan(t, Next, "azure"), StateView, "(commit) (base disk) (azure)")
	for range 2 { // the second is remembered
		if st, ok := stat(); !ok || st.Size != r.Size || st.Blocks != 8 {
			t.Errorf("stat = %+v, %t; want %d bytes in 8 blocks", st, ok, r.Size)
		}
	}
}

// What was asked for as a file is one from then on.
func TestViewMadeReal(t *testing.T) {
	w := newWorld(t)
	w.build(t, BuildOptions{})
	_, want := w.look(t, "1.0", "azure")
	made := w.open(t, "1.0", "azure")
	r, v, err := w.Open(t.Context(), Target{Build: "1.0", Arch: arch, Kind: "azure"})
	if err != nil || v != nil || r.Path != made.Path {
		t.Fatalf("open: %+v, view %v, %v; want the file %s", r, v, err, made.Path)
	}
	if got := read(t, r.Path); got != want {
		t.Errorf("the file is not what the view was")
	}
	wantPlan(t, w.plan(t, "1.0", "azure"), StateLocal, "(read)")
}

func TestManyViewsWriteOneDisk(t *testing.T) {
	w := newWorld(t)
	w.build(t, BuildOptions{})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			_, v, err := w.Open(t.Context(), Target{Build: "1.0", Arch: arch, Kind: "azure"})
			if err == nil {
				err = v.Close()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	w.wantRuns(t, 1, 1, 0)
}

// A failed disk fails its views, with a reason, and is not tried again at once.
func TestViewWithoutDisk(t *testing.T) {
	w := newWorld(t)
	w.build(t, BuildOptions{})
	w.disks.err = Fail(ClassGuest, "write disk", "look at the log", errors.New("mkfs failed"))
	target := Target{Build: "1.0", Arch: arch, Kind: "azure"}
	for range 2 {
		_, v, err := w.Open(t.Context(), target)
		if _, hint := ClassOf(err); v != nil || hint == "" {
			t.Errorf("open: %v, %v; want a reason and a hint", v, err)
		}
	}
	w.wantRuns(t, 1, 1, 0)
	if p := w.plan(t, "1.0", "azure"); p.State != StateFailed {
		t.Errorf("plan: %s: %s", p.State, p.Reason)
	}
	w.disks.err = nil
	if err := w.Retry(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	w.look(t, "1.0", "azure")
}

// Who may start no job reads what is there.
func TestViewWithoutMaking(t *testing.T) {
	w := newWorld(t)
	w.build(t, BuildOptions{})
	target := Target{Build: "1.0", Arch: arch, Kind: "azure"}
	ctx := WithoutMaking(t.Context())
	if _, _, err := w.Open(ctx, target); !errors.Is(err, ErrNotAllowed) {
		t.Errorf("open without a disk: %v, want ErrNotAllowed", err)
	}
	w.look(t, "1.0", "azure")
	_, v, err := w.Open(ctx, target)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Error(err)
	}
}

// The disk under an open view is not cleared away for newer ones.
func TestOpenViewKeepsItsDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		first := w.build(t, BuildOptions{}).Build
		_, v, err := w.Open(t.Context(), Target{Build: first, Arch: arch, Kind: "azure"})
		if err != nil {
			t.Fatal(err)
		}
		bases := func() int {
			synctest.Wait() // their sha256 are computed: nothing else holds them
			dirs, err := filepath.Glob(filepath.Join(w.StateDir, "base", "*", "disk.raw"))
			if err != nil {
				t.Fatal(err)
			}
			return len(dirs)
		}
		for range 6 {
			w.look(t, w.build(t, BuildOptions{Force: true}).Build, "azure")
			bases()
		}
		if n := bases(); n != 5 {
			t.Errorf("%d base disks; want the newest 4 and the held one", n)
		}
		if _, err := v.ReadAt(make([]byte, 10), 0); err != nil {
			t.Errorf("read: %v", err)
		}
		if err := v.Close(); err != nil {
			t.Error(err)
		}
		w.look(t, w.build(t, BuildOptions{Force: true}).Build, "azure")
		if n := bases(); n != 4 {
			t.Errorf("%d base disks after it was closed; want 4", n)
		}
	})
}
