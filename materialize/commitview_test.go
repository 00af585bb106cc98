package materialize_test

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"strings"
	"sync"
	"testing"

	. "cosafs/materialize"
)

// lostCommit is a world with a build whose ostree artifact is gone, and what that held.
func lostCommit(t *testing.T) (w *world, ostree Target, content string) {
	t.Helper()
	w = newWorld(t)
	r := w.open(t, Next, "ostree")
	content = read(t, r.Path)
	if err := os.Remove(r.Path); err != nil {
		t.Fatal(err)
	}
	return w, Target{Build: r.Build, Arch: arch, Kind: "ostree"}, content
}

func TestLostCommitIsAView(t *testing.T) {
	w, ostree, want := lostCommit(t)
	jobs := len(w.Runner.Jobs())
	w.Frozen = errors.New("read-only")
	wantPlan(t, w.plan(t, ostree.Build, "ostree"), StateView, "(ostree)")
	wantPlan(t, w.plan(t, Next, "ostree"), StateView, "(ostree)")
	r, got := w.look(t, ostree.Build, "ostree")
	if got != want || r.Path != "" || r.Build != ostree.Build {
		t.Errorf("got %+v, %q; want %q", r, got, want)
	}
	if n := len(w.Runner.Jobs()); n != jobs {
		t.Errorf("it took %d jobs", n-jobs)
	}
	if _, err := os.Stat(w.records.builds[ostree.Build].Dir + "/" + w.records.builds[ostree.Build].Artifacts["ostree"].File); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("stat: %v: a view is not stored", err)
	}
}

// Before anybody sees a byte all are compared, once however many open it.
func TestLostCommitIsCheckedOnce(t *testing.T) {
	w, ostree, want := lostCommit(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, v, err := w.Open(ctx, ostree); v != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("open by who left: %v, %v", v, err)
	}
	w.commits.views.reads = 0
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			_, v, err := w.Open(t.Context(), ostree)
			if err == nil {
				err = v.Close()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := w.commits.views.count(&w.commits.views.reads); n != len(want) {
		t.Errorf("%d bytes were read, want %d", n, len(want))
	}
}

// What the repository has now and isn't the recorded artifact is never served.
func TestLostCommitThatDiffers(t *testing.T) {
	w, ostree, want := lostCommit(t)
	for key := range maps.Clone(w.commits.archive) {
		w.commits.archive[key] = strings.Repeat("x", len(want))
	}
	_, v, err := w.Open(t.Context(), ostree)
	if _, hint := ClassOf(err); v != nil || !errors.Is(err, ErrCorrupt) || hint == "" {
		t.Errorf("open: %v, %v; want ErrCorrupt and a hint", v, err)
	}
	for key := range maps.Clone(w.commits.archive) {
		w.commits.archive[key] = want + "x"
	}
	if p := w.plan(t, ostree.Build, "ostree"); p.State != StateGone {
		t.Errorf("with another size it is %s: %s", p.State, p.Reason)
	}
	if _, v, err = w.Open(t.Context(), ostree); v != nil || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open with another size: %v, %v", v, err)
	}
}

func TestLostCommitThatIsNowhere(t *testing.T) {
	w, ostree, _ := lostCommit(t)
	clear(w.commits.archive)
	wantPlan(t, w.plan(t, ostree.Build, "ostree"), StateGone, "")
	_, v, err := w.Open(t.Context(), ostree)
	if _, hint := ClassOf(err); v != nil || !errors.Is(err, fs.ErrNotExist) || hint == "" {
		t.Errorf("open: %v, %v; want ErrNotExist and a hint", v, err)
	}
}

// Images are made of a commit that is nowhere but where it was exported from.
func TestLostCommitIsImported(t *testing.T) {
	w, ostree, _ := lostCommit(t)
	clear(w.commits.files)
	wantPlan(t, w.plan(t, ostree.Build, "metal"), StateBuildable, "import base disk metal")
	w.open(t, ostree.Build, "metal")
	if b := w.records.builds[ostree.Build]; w.commits.imports != 1 || w.commits.refs[b.ID] != b.Commit {
		t.Errorf("%d imports, refs %v", w.commits.imports, w.commits.refs)
	}
}

// Who asks for the file by name gets it back, if it comes out as recorded.
func TestLostCommitIsExportedAgain(t *testing.T) {
	w, ostree, want := lostCommit(t)
	clear(w.commits.files) // that it was exported once is enough
	if got := read(t, w.open(t, ostree.Build, "ostree").Path); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	wantPlan(t, w.plan(t, ostree.Build, "ostree"), StateLocal, "(read)")
}
