package materialize_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "cosafs/materialize"
)

func (w *world) plan(t *testing.T, build, kind string) Plan {
	t.Helper()
	p, err := w.Plan(t.Context(), Target{Build: build, Arch: arch, Kind: kind})
	if err != nil {
		t.Fatalf("plan %s/%s: %v", build, kind, err)
	}
	return p
}

// steps gives the plan's steps, those that are done in parentheses.
func steps(p Plan) string {
	var all []string
	for _, s := range p.Steps {
		if s.Done {
			all = append(all, "("+s.Do+")")
		} else {
			all = append(all, s.Do)
		}
	}
	return strings.Join(all, " ")
}

func wantPlan(t *testing.T, p Plan, state State, want string) {
	t.Helper()
	if p.State != state || steps(p) != want || p.Reason == "" {
		t.Errorf("plan of %s: %s (%s): %s; want %s: %s", p.Target, p.State, p.Reason, steps(p), state, want)
	}
	for _, s := range p.Steps {
		if s.Why == "" || s.What == "" {
			t.Errorf("step %+v doesn't explain itself", s)
		}
	}
}

func TestPlanFollowsWhatIsThere(t *testing.T) {
	w := newWorld(t)
	wantPlan(t, w.plan(t, Next, "qemu"), StateBuildable, "compose base disk qemu")
	wantPlan(t, w.plan(t, Next, "ostree"), StateBuildable, "compose")
	w.wantRuns(t, 0, 0, 0)

	w.build(t, BuildOptions{})
	wantPlan(t, w.plan(t, Next, "ostree"), StateLocal, "(read)")
	wantPlan(t, w.plan(t, Next, "qemu"), StateBuildable, "(commit) base disk qemu")
	wantPlan(t, w.plan(t, "1.0", "qemu"), StateBuildable, "(commit) base disk qemu")

	w.open(t, "1.0", "metal")
	wantPlan(t, w.plan(t, "1.0", "metal"), StateLocal, "(read)")
	wantPlan(t, w.plan(t, "1.0", "qemu"), StateBuildable, "(commit) (base disk) qemu")

	w.commits.files = map[string]map[string]string{}
	wantPlan(t, w.plan(t, "1.0", "qemu"), StateBuildable, "(commit) (base disk) qemu")
	if err := os.RemoveAll(filepath.Join(w.StateDir, "base")); err != nil {
		t.Fatal(err)
	}
	wantPlan(t, w.plan(t, "1.0", "qemu"), StateBuildable, "import base disk qemu")
}

func TestPlanIsPure(t *testing.T) {
	w := newWorld(t)
	w.build(t, BuildOptions{})
	a, b := w.plan(t, "1.0", "qemu"), w.plan(t, "1.0", "qemu")
	if a.Text() != b.Text() || len(w.Runner.Jobs()) != 1 {
		t.Errorf("plans differ or did something:\n%s\n%s", a.Text(), b.Text())
	}
	w.wantRuns(t, 1, 0, 0)
}

func TestPlanNamesChangedInputs(t *testing.T) {
	w := newWorld(t)
	w.composer.inputs.Parts = map[string]string{"manifest.yaml": "1", "overlay.d/05": "1", "tiny.repo": "1"}
	w.open(t, Next, "ostree")
	w.composer.set(func(c *fakeComposer) {
		c.inputs.Hash, c.inputs.Parts = "inputs-2", map[string]string{"manifest.yaml": "2", "tiny.repo": "1", "new.yaml": "1"}
	})
	var p Plan
	for p = w.plan(t, Next, "ostree"); p.State == StateLocal; p = w.plan(t, Next, "ostree") {
		continue // a look may be a moment old
	}
	wantPlan(t, p, StateBuildable, "compose")
	if want := "changed since the newest build: manifest.yaml, new.yaml, overlay.d/05 (gone)"; p.Steps[0].Why != want {
		t.Errorf("why = %q, want %q", p.Steps[0].Why, want)
	}
}

func TestPlanWhileBuilding(t *testing.T) {
	w := newWorld(t)
	before := w.plan(t, Next, "qemu")
	w.composer.during = func() {
		p := w.plan(t, Next, "qemu")
		wantPlan(t, p, StateBuilding, "compose base disk qemu")
		if p.Inputs != before.Inputs {
			t.Error("the same inputs have another hash")
		}
		if f, ok := w.Progress(t.Context(), p.Target); !ok || f > 1 {
			t.Errorf("progress = %v, %v", f, ok)
		}
	}
	w.open(t, Next, "qemu")
	if _, ok := w.Progress(t.Context(), before.Target); ok {
		t.Error("there is progress although nothing runs")
	}
}

func TestPlanOfAFailure(t *testing.T) {
	w := newWorld(t)
	w.composer.err = Fail(ClassPackage, "compose", "", errors.New("no package foo"))
	if _, err := w.Build(t.Context(), BuildOptions{}); err == nil {
		t.Fatal("build succeeded")
	}
	p := w.plan(t, Next, "qemu")
	wantPlan(t, p, StateFailed, "compose base disk qemu")
	if !strings.Contains(p.Reason, "no package foo") {
		t.Errorf("reason = %q", p.Reason)
	}
}

func TestPlanOfWhatNobodyMakes(t *testing.T) {
	w := newWorld(t)
	w.build(t, BuildOptions{})
	for _, target := range []Target{{Build: Next, Arch: arch, Kind: "aws"}, {Build: "1.0", Arch: arch, Kind: "aws"}, {Build: Next, Arch: "s390x", Kind: "qemu"}} {
		p, err := w.Plan(t.Context(), target)
		if err != nil || p.State != StateGone || len(p.Steps) != 0 {
			t.Errorf("plan of %s = %+v, %v", target, p, err)
		}
	}
}

func TestPlanText(t *testing.T) {
	w := newWorld(t)
	w.build(t, BuildOptions{})
	lines := strings.Split(w.plan(t, "1.0", "qemu").Text(), "\n")
	if !strings.HasPrefix(lines[0], "1.0/x86_64/qemu: buildable: ") ||
		!slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, " 1. [done ] commit: ") }) ||
		!slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, " 3. [to do] qemu: ") }) {
		t.Errorf("text:\n%s", strings.Join(lines, "\n"))
	}
}
