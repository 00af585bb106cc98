package materialize_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	. "cosafs/materialize"
)

func TestBuildFiles(t *testing.T) {
	w := newWorld(t)
	b := w.records.builds[w.build(t, BuildOptions{}).Build]
	for name, want := range map[string]string{
		"commitmeta.json": `{"version":"1.0"}`, "ostree-commit-object": "object " + b.Commit,
		"manifest-lock.generated.x86_64.json": `{"packages":{}}`, "tiny-1.0-ostree.x86_64.tar": b.Commit + " 1.0 tiny/main",
	} {
		if got := read(t, filepath.Join(b.Dir, name)); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
		if st, err := os.Stat(filepath.Join(b.Dir, name)); err != nil || st.Mode().Perm() != 0o444 {
			t.Errorf("%s: mode %v, %v; want 0444", name, st.Mode(), err)
		}
	}
	if w.commits.refs["1.0"] != b.Commit {
		t.Errorf("refs = %v", w.commits.refs)
	}
	if a := b.Artifacts[KindOSTree]; a.SHA256 == "" || !a.SkipCompression {
		t.Errorf("ostree artifact = %+v", a)
	}
}

func TestForceMakesACommit(t *testing.T) {
	w := newWorld(t)
	w.build(t, BuildOptions{})
	if r := w.build(t, BuildOptions{Force: true}); r.Build != "1.1" || !r.New {
		t.Errorf("forced build = %+v, want 1.1", r)
	}
	if r := w.open(t, Next, "ostree"); r.Build != "1.1" || r.New {
		t.Errorf("next is %+v, want the forced build", r)
	}
	w.wantRuns(t, 2, 0, 0)
}

// A forced image is a build of the same commit, with all that is known of it.
func TestForceImage(t *testing.T) {
	w := newWorld(t)
	first := w.records.builds[w.build(t, BuildOptions{}).Build]
	w.commits.files = map[string]map[string]string{} // the repository is only a cache
	for _, want := range []string{"1.0-1", "1.0-2"} {
		if r := w.build(t, BuildOptions{ForceImage: true}); r.Build != want || !r.New {
			t.Errorf("build = %+v, want %s", r, want)
		}
		b := w.records.builds[want]
		if b.Commit != first.Commit || b.Version != "1.0" || b.Ref != first.Ref || !b.CommitTime.Equal(first.CommitTime) || b.ContentChecksum != first.ContentChecksum {
			t.Errorf("build %s = %+v, want the commit of %+v", want, b, first)
		}
		for _, name := range []string{"commitmeta.json", "ostree-commit-object"} {
			if got := read(t, filepath.Join(b.Dir, name)); got != read(t, filepath.Join(first.Dir, name)) {
				t.Errorf("%s of %s = %q", name, want, got)
			}
		}
	}
	if w.commits.imports != 1 {
		t.Errorf("the commit was imported %d times", w.commits.imports)
	}
}

func TestExplicitVersion(t *testing.T) {
	w := newWorld(t)
	w.build(t, BuildOptions{Version: "7"})
	if r := w.build(t, BuildOptions{Version: "7"}); r.New || r.Build != "7" {
		t.Errorf("the same version again = %+v, want build 7", r)
	}
	if r := w.build(t, BuildOptions{Version: "8"}); !r.New || r.Build != "8" {
		t.Errorf("another version of unchanged inputs = %+v, want build 8", r)
	}
	w.composer.set(func(c *fakeComposer) { c.inputs.Hash = "inputs-2" })
	_, err := w.Build(t.Context(), BuildOptions{Version: "7"})
	if class, hint := ClassOf(err); !errors.Is(err, fs.ErrExist) || class != ClassConfig || hint == "" {
		t.Errorf("a version that another commit has: %v", err)
	}
	if n := len(w.records.added); n != 2 {
		t.Errorf("%d builds, want 2", n)
	}
}

func TestVersionsThatAreNoNames(t *testing.T) {
	w := newWorld(t)
	for _, version := range []string{"next", "latest", "builds.json", ".cosafs", "..", "a/b", "a b", "a\nb", strings.Repeat("1", 300)} {
		if _, err := w.Build(t.Context(), BuildOptions{Version: version}); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("version %.20q: %v, want ErrInvalid", version, err)
		}
	}
	w.wantRuns(t, 0, 0, 0)
	w.composer.version = "latest" // from the manifest
	if _, err := w.Build(t.Context(), BuildOptions{}); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a commit of version latest: %v, want ErrInvalid", err)
	}
}

func TestCommitWithoutVersion(t *testing.T) {
	w := newWorld(t)
	w.composer.version = "none"
	_, err := w.Build(t.Context(), BuildOptions{})
	if class, hint := ClassOf(err); class != ClassConfig || !strings.Contains(hint, "automatic-version-prefix") {
		t.Errorf("build = %v (%s, %q)", err, class, hint)
	}
	if len(w.records.added) != 0 || len(w.commits.refs) != 0 {
		t.Error("something was published")
	}
}

// An id whose content can't be known is neither used again nor in the way.
func TestUnknownIDsArePassedOver(t *testing.T) {
	for name, spoil := range map[string]func(r *fakeRecords){
		"listed, but not here": func(r *fakeRecords) { r.ids = []string{"1.0"} },
		"damaged":              func(r *fakeRecords) { r.ids, r.bad = []string{"1.0"}, map[string]error{"1.0": errors.New("cut short")} },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			spoil(w.records)
			if _, err := w.Build(t.Context(), BuildOptions{Version: "1.0"}); !errors.Is(err, fs.ErrExist) {
				t.Errorf("build --version 1.0: %v, want ErrExist", err)
			}
			if r := w.build(t, BuildOptions{}); r.Build != "1.0-1" {
				t.Errorf("build = %+v, want 1.0-1", r)
			}
		})
	}
}

// Where nothing can be read, choosing an id ends.
func TestChoosingAnIDEnds(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.composer.during = cancel
	if _, err := w.Build(ctx, BuildOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled build: %v", err)
	}
}

func TestParent(t *testing.T) {
	w := newWorld(t)
	first := w.records.builds[w.build(t, BuildOptions{}).Build]
	for parent, want := range map[string]string{"1.0": first.Commit, sum("somewhere else"): sum("somewhere else")} {
		w.build(t, BuildOptions{Parent: parent, Force: true})
		if got := w.composer.last().Parent; got != want {
			t.Errorf("--parent %s gave %s, want %s", parent, got, want)
		}
	}
	w.build(t, BuildOptions{Force: true})
	if got := w.composer.last().Parent; got != "" {
		t.Errorf("without --parent the parent is %s", got)
	}
	_, err := w.Build(t.Context(), BuildOptions{Parent: "0.1"})
	if class, hint := ClassOf(err); !errors.Is(err, fs.ErrNotExist) || class != ClassConfig || !strings.Contains(hint, "cosafs list") {
		t.Errorf("--parent 0.1: %v (%s, %q)", err, class, hint)
	}
}

// Builds with different options never compose at the same time, and each is
// compared with the one before.
func TestBuildsTakeTurns(t *testing.T) {
	w := newWorld(t)
	var wg sync.WaitGroup
	for _, o := range []BuildOptions{{}, {Force: true}, {Version: "5"}, {ForceImage: true}} {
		wg.Go(func() {
			if _, err := w.Build(t.Context(), o); err != nil {
				t.Errorf("build %+v: %v", o, err)
			}
		})
	}
	wg.Wait()
	if w.composer.overlap {
		t.Error("two composes ran at the same time")
	}
}

// Two processes that build at once both succeed; the second finds nothing to do.
func TestTwoProcessesBuild(t *testing.T) {
	a := newWorld(t)
	b := *a
	b.Maker = &Maker{
		Composer: a.composer, Disks: a.disks, Commits: a.commits, Records: a.records,
		Runner: newRunner(t, a.dir, nil), Config: a.Config, Arch: arch, StateDir: a.StateDir,
	}
	var wg sync.WaitGroup
	var made [2]Result
	for i, w := range []*world{a, &b} {
		wg.Go(func() { made[i] = w.build(t, BuildOptions{}) })
	}
	wg.Wait()
	if made[0].New == made[1].New || made[0].Build != made[1].Build {
		t.Errorf("results %+v, want one new build", made)
	}
	if a.composer.overlap || len(a.records.added) != 1 {
		t.Errorf("overlap %v, %d builds", a.composer.overlap, len(a.records.added))
	}
}

func TestPruneCommits(t *testing.T) {
	w := newWorld(t)
	w.build(t, BuildOptions{})
	w.composer.during = func() { // a commit without a name exists
		if err := w.PruneCommits(t.Context(), []BuildRef{{ID: "1.0"}}); err != nil {
			t.Error(err)
		}
	}
	w.build(t, BuildOptions{Force: true})
	if w.commits.prunes != 0 || w.commits.refs["1.0"] != "" {
		t.Errorf("during a build: %d prunes, refs %v", w.commits.prunes, w.commits.refs)
	}
	if err := w.PruneCommits(t.Context(), nil); err != nil || w.commits.prunes != 1 {
		t.Errorf("after it: %d prunes, %v", w.commits.prunes, err)
	}
}
