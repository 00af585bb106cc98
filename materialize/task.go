package materialize

import (
	"fmt"
	"io"
	"time"
)

// An Event is one thing that a job told: a phase with its progress, or a line.
type Event struct {
	Time     time.Time `json:"time"`
	Job      string    `json:"job"`
	Phase    string    `json:"phase,omitempty"`
	Fraction float64   `json:"fraction"` // of the whole job, 0 to 1
	Message  string    `json:"message,omitempty"`
}

// A Task is what running work gets from the machinery that runs it. It may be
// used by several goroutines.
type Task struct {
	// Job is the id of the job, the name of its folder under .cosafs/jobs.
	Job string
	// Scratch is a private directory on the same file system as the build
	// directory. It exists when work starts and is deleted whatever its exit.
	Scratch string
	// Log takes everything that the work and its child processes print.
	Log io.Writer
	// Progress tells a phase and how much of the job is done, 0 to 1. A negative
	// fraction means unknown. It never blocks. May be nil.
	Progress func(phase string, fraction float64)
}

// Phase tells progress, if somebody listens, and writes the phase to the log.
func (t *Task) Phase(phase string, fraction float64) {
	if t.Progress != nil {
		t.Progress(phase, fraction)
	}
	t.Logf("== %s", phase)
}

// Part gives a task whose progress covers the part of t between from and to.
func (t *Task) Part(from, to float64) *Task {
	p := *t
	p.Progress = func(phase string, fraction float64) {
		if t.Progress == nil {
			return
		}
		if fraction >= 0 {
			fraction = from + fraction*(to-from)
		}
		t.Progress(phase, fraction)
	}
	return &p
}

// Logf writes one line to the log.
func (t *Task) Logf(format string, args ...any) {
	if t.Log != nil {
		_, _ = fmt.Fprintf(t.Log, format+"\n", args...) // a log that can't be written stops no work
	}
}
