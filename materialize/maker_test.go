package materialize_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	. "cosafs/materialize"
)

func TestStoredBytesStartNoJob(t *testing.T) {
	w := newWorld(t)
	id := w.build(t, BuildOptions{}).Build
	jobs := len(w.Runner.Jobs())
	r := w.open(t, id, "ostree")
	if read(t, r.Path) == "" || r.Size != int64(len(read(t, r.Path))) || r.Build != id {
		t.Errorf("open of a stored artifact = %+v", r)
	}
	if got := len(w.Runner.Jobs()); got != jobs {
		t.Errorf("open of a stored artifact made %d jobs", got-jobs)
	}
	w.wantRuns(t, 1, 0, 0)
}

func TestOpenNext(t *testing.T) {
	w := newWorld(t)
	first := w.open(t, Next, "qemu")
	if first.Build != "1.0" || !first.New || !strings.HasPrefix(read(t, first.Path), "qemu disk of ") {
		t.Errorf("first open = %+v", first)
	}
	w.wantRuns(t, 1, 1, 1)

	again := w.open(t, Next, "qemu")
	if again.Build != "1.0" || again.New || again.Path != first.Path {
		t.Errorf("second open of the same inputs = %+v, want build 1.0", again)
	}
	w.wantRuns(t, 1, 1, 1)

	w.composer.set(func(c *fakeComposer) { c.inputs.Hash = "inputs-2" })
	changed := w.open(t, Next, "qemu") // at once: no cache of the inputs may hide the change
	if changed.Build != "1.1" || !changed.New {
		t.Errorf("open after a change = %+v, want a new build 1.1", changed)
	}
	w.wantRuns(t, 2, 2, 2)
}

// Deleting is a command's business: an open may make builds, never take them away.
func TestOpeningNeverPrunes(t *testing.T) {
	w := newWorld(t)
	const opens = 5
	for i := range opens {
		w.composer.set(func(c *fakeComposer) { c.inputs.Hash = fmt.Sprint("inputs-", i) })
		w.open(t, Next, "qemu")
	}
	if n := len(w.records.builds); n != opens {
		t.Errorf("%d builds are left of %d", n, opens)
	}
}

func TestUnchangedComposeIsLatestBuild(t *testing.T) {
	w := newWorld(t)
	first := w.build(t, BuildOptions{})
	if err := os.RemoveAll(w.StateDir + "/built"); err != nil { // what is remembered is only a cache
		t.Fatal(err)
	}
	r := w.open(t, Next, "ostree")
	if r.Build != first.Build || r.New {
		t.Errorf("open = %+v, want build %s and nothing new", r, first.Build)
	}
	if r := w.build(t, BuildOptions{}); r.Build != first.Build || r.New {
		t.Errorf("build = %+v, want build %s and nothing new", r, first.Build)
	}
	w.wantRuns(t, 3, 0, 0) // cosafs build always asks the package repositories
	if n := len(w.records.added); n != 1 {
		t.Errorf("%d builds were published", n)
	}
}

// A configuration that is edited during its compose has not given the build.
func TestEditDuringCompose(t *testing.T) {
	w := newWorld(t)
	w.composer.during = func() { w.composer.set(func(c *fakeComposer) { c.inputs.Hash = "inputs-2" }) }
	w.open(t, Next, "ostree")
	w.composer.during = nil
	w.composer.set(func(c *fakeComposer) { c.inputs.Hash = "inputs-1" })
	if r := w.open(t, Next, "ostree"); !r.New {
		t.Errorf("the first edit's inputs gave %+v without a compose", r)
	}
}

func TestManyOpensOneBuild(t *testing.T) {
	w := newWorld(t)
	var wg sync.WaitGroup
	results := make([]Result, 50)
	for i := range results {
		wg.Go(func() {
			var err error
			if results[i], err = w.Make(t.Context(), Target{Build: Next, Arch: arch, Kind: "qemu"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, r := range results {
		if r.Path != results[0].Path || r.Size != results[0].Size {
			t.Fatalf("results differ: %+v, %+v", r, results[0])
		}
	}
	w.wantRuns(t, 1, 1, 1)
}

func TestNotMakeable(t *testing.T) {
	w := newWorld(t)
	id := w.build(t, BuildOptions{}).Build
	for _, target := range []Target{
		{Build: Next, Arch: arch, Kind: "aws"},
		{Build: Next, Arch: "s390x", Kind: "qemu"},
		{Build: id, Arch: arch, Kind: "aws"},
	} {
		if _, err := w.Make(t.Context(), target); !errors.Is(err, ErrNotMakeable) {
			t.Errorf("%s: %v, want ErrNotMakeable", target, err)
		}
	}
	if _, err := w.Make(t.Context(), Target{Build: "0.9", Arch: arch, Kind: "qemu"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a build that isn't there: %v", err)
	}
	w.wantRuns(t, 1, 0, 0)
}

func TestBrokenConfiguration(t *testing.T) {
	w := newWorld(t)
	broken := Fail(ClassConfig, "read manifest.yaml", "mend it", errors.New("line 3"))
	w.composer.set(func(c *fakeComposer) { c.broken = broken })
	if _, err := w.Make(t.Context(), Target{Build: Next, Arch: arch, Kind: "qemu"}); !errors.Is(err, broken) {
		t.Errorf("open = %v", err)
	}
	w.composer.set(func(c *fakeComposer) { c.broken = nil })
	w.open(t, Next, "qemu") // a mended configuration works at once
}

// What one caller's patience did to a look at the inputs is not the others' concern.
func TestImpatientCallerSpoilsNothing(t *testing.T) {
	for _, end := range []error{context.Canceled, context.DeadlineExceeded} {
		w := newWorld(t)
		now := time.Now()
		w.Now = func() time.Time { return now }
		w.composer.set(func(c *fakeComposer) { c.broken = end })
		if _, err := w.Inputs(t.Context()); !errors.Is(err, end) {
			t.Errorf("Inputs = %v, want %v", err, end)
		}
		w.composer.set(func(c *fakeComposer) { c.broken = nil })
		if _, err := w.Inputs(t.Context()); err != nil {
			t.Errorf("the next caller gets %v", err)
		}
	}
}

func TestFailureIsRememberedAndRetried(t *testing.T) {
	w := newWorld(t)
	target := Target{Build: Next, Arch: arch, Kind: "qemu"}
	w.composer.set(func(c *fakeComposer) {
		c.err = Fail(ClassPackage, "compose", "name another package", errors.New("no package foo"))
	})
	for range 3 {
		_, err := w.Make(t.Context(), target)
		if class, hint := ClassOf(err); class != ClassPackage || hint != "name another package" {
			t.Errorf("open = %v (%s, %q)", err, class, hint)
		}
	}
	w.wantRuns(t, 1, 0, 0)
	w.composer.set(func(c *fakeComposer) { c.err = nil })
	if err := w.Retry(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	w.open(t, Next, "qemu")
	w.wantRuns(t, 2, 1, 1)
}

// Retry reaches the disk below the image, so that one is enough.
func TestRetryClearsAllSteps(t *testing.T) {
	w := newWorld(t)
	target := Target{Build: Next, Arch: arch, Kind: "qemu"}
	w.disks.err = Fail(ClassGuest, "write disk", "", errors.New("mkfs failed"))
	for range 2 {
		if _, err := w.Make(t.Context(), target); err == nil {
			t.Fatal("open succeeded without a disk")
		}
	}
	if n := w.disks.count(&w.disks.writes); n != 1 {
		t.Errorf("the disk was tried %d times", n)
	}
	p, err := w.Plan(t.Context(), target)
	if err != nil || p.State != StateFailed || !strings.Contains(p.Reason, "mkfs failed") {
		t.Errorf("plan = %s: %s, %v", p.State, p.Reason, err)
	}
	w.disks.err = nil
	if err := w.Retry(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	w.open(t, Next, "qemu")
	w.wantRuns(t, 1, 2, 1)
}

// cosafs build tries again what failed before.
func TestBuildTriesAgain(t *testing.T) {
	w := newWorld(t)
	w.composer.set(func(c *fakeComposer) { c.err = errors.New("no") })
	for range 2 {
		if _, err := w.Build(t.Context(), BuildOptions{}); err == nil {
			t.Fatal("build succeeded")
		}
	}
	w.wantRuns(t, 2, 0, 0)
}
