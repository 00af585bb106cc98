package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/test/tinyos"
)

// cosa build's promises: no change, no build; a change makes one; --force makes
// one with the same content; three are kept, unless --no-prune keeps all.
func TestBuildChangesForceAndPrune(t *testing.T) {
	t.Parallel()
	needAll(t)
	e := newEnv(t)
	e.cosafs("build", "ostree")
	first := e.latest()

	if out := e.cosafs("build", "ostree"); !strings.Contains(out, "nothing changed") {
		t.Errorf("an unchanged build does not say so: %q", out)
	}
	if got := e.latest(); got != first {
		t.Errorf("nothing changed, but latest went from %s to %s", first, got)
	}

	e.edit("manifest.yaml", func(s string) string { return strings.Replace(s, "packages:\n", "packages:\n  - hello\n", 1) })
	e.cosafs("build", "ostree")
	second := e.latest()
	if second == first || e.meta(second).Content == e.meta(first).Content {
		t.Errorf("a changed manifest gave build %s after %s, content %s", second, first, e.meta(second).Content)
	}

	e.cosafs("build", "ostree", "--force", "--version", second)
	third := e.latest()
	if third != second+"-1" || e.meta(third).Commit != e.meta(second).Commit {
		t.Errorf("--force of %s gave %s with commit %s, want %s-1 with %s", second, third, e.meta(third).Commit, second, e.meta(second).Commit)
	}

	e.cosafs("build", "ostree", "--force")
	if got := e.builds(); len(got) != 3 || got[0] != e.latest() {
		t.Errorf("after four builds: %v, latest %s; want the newest three", got, e.latest())
	}
	if _, err := os.Stat(filepath.Join(e.work, "builds", first)); !os.IsNotExist(err) {
		t.Errorf("the pruned build's directory: %v", err)
	}
	e.cosafs("build", "ostree", "--force", "--no-prune")
	if got := e.builds(); len(got) != 4 {
		t.Errorf("--no-prune left %v, want four builds", got)
	}
	for _, id := range e.builds() {
		e.intact(id)
	}
	e.commitsNeedNoFiles()
}

// commitsNeedNoFiles deletes the ostree tars, which the mount serves all the same, as
// long as the repository has the objects.
func (e *env) commitsNeedNoFiles() {
	e.Helper()
	e.mount()
	jobs, used := e.jobFolders(), e.used()
	var last string
	for _, id := range e.builds() {
		im := e.meta(id).Images["ostree"]
		last = e.path(id, "x86_64", im.Path)
		file := filepath.Join(e.work, "builds", id, "x86_64", im.Path)
		used -= e.diskUse(file)
		if err := os.Remove(file); err != nil {
			e.Fatal(err)
		}
		if state := e.state(last); state != "view" {
			e.Errorf("%s: state %q, want view", last, state)
		}
		if st, err := os.Stat(last); err != nil || st.Size() != im.Size {
			e.Errorf("stat %s: %v; want %d bytes", last, err, im.Size)
		}
		if sum, _, _ := strings.Cut(e.sh("sha256sum", last), " "); sum != im.SHA256 {
			e.Errorf("%s has sha256 %s; %s is recorded", last, sum, im.SHA256)
		}
	}
	if n := e.jobFolders(); n != jobs {
		e.Errorf("reading them took %d jobs", n-jobs)
	}
	if more := e.used() - used; more > 1<<20 {
		e.Errorf("reading them took %d bytes of disk", more)
	}
	if err := os.RemoveAll(filepath.Join(e.work, "tmp", "repo")); err != nil {
		e.Fatal(err)
	}
	if state := e.state(last); state != "gone" {
		e.Errorf("without the repository its state is %q", state)
	}
}

func TestTagKeepsABuild(t *testing.T) {
	t.Parallel()
	needAll(t)
	e := newEnv(t)
	e.cosafs("build", "ostree")
	first := e.latest()
	e.cosafs("tag", "good", "--build", first)
	for range 4 {
		e.cosafs("build", "ostree", "--force")
	}
	if got := e.builds(); len(got) != 4 || got[3] != first {
		t.Errorf("builds %v; want three and the tagged %s", got, first)
	}
}

// edit changes a file of the configuration and commits it.
func (e *env) edit(file string, change func(string) string) {
	e.Helper()
	if err := tinyos.Edit(e.Context(), e.os, file, change); err != nil {
		e.Fatal(err)
	}
}
