package materialize_test

import (
	"errors"
	"strings"
	"testing"

	. "cosafs/materialize"
)

func TestFailureIsOneLine(t *testing.T) {
	for said, want := range map[string]string{
		"no room": "compose: no room",
		"Problem: conflicting requests\n  - nothing provides x needed by y\n": "compose: Problem: conflicting requests; nothing provides x needed by y",
		"dnf:\n 1\n 2\n\n 3\n 4\n 5":                                          "compose: dnf: 1; 2; 3; 2 more lines are in the log",
	} {
		err := error(Fail(ClassPackage, "compose", "", errors.New(said)))
		if err.Error() != want {
			t.Errorf("%q became %q, want %q", said, err, want)
		}
	}
}

// What a program said at length is one line for who asked, and whole in the log.
func TestLongFailureIsInTheLog(t *testing.T) {
	w := newWorld(t)
	said := "Problem:\n - first\n - second\n - third\n - fourth\n - fifth"
	w.composer.set(func(c *fakeComposer) { c.err = Fail(ClassPackage, "compose", "hint", errors.New(said)) })
	_, err := w.Build(t.Context(), BuildOptions{})
	if err == nil || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "fifth") {
		t.Errorf("build = %v", err)
	}
	jobs := w.Runner.Jobs()
	if len(jobs) != 1 || strings.Contains(jobs[0].Error, "\n") {
		t.Fatalf("jobs = %+v", jobs)
	}
	log, err := w.Runner.JobFile(jobs[0].ID, "log")
	if err != nil || !strings.Contains(string(log), said) {
		t.Errorf("log = %q, %v", log, err)
	}
	plan, err := w.Plan(t.Context(), Target{Build: Next, Arch: arch, Kind: "qemu"})
	if err != nil || plan.Job != jobs[0].ID {
		t.Errorf("plan = %+v, %v; want the job that failed", plan, err)
	}
}
