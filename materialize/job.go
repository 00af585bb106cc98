package materialize

import (
	"context"
	"fmt"
	"time"
)

// A Work is one thing to be done once, however many ask for it.
type Work struct {
	// Key is a hex hash of all inputs. Works with the same key are the same
	// work, for every door and every process of this machine.
	Key    string
	Target Target // what somebody asked for, for people
	Title  string // "compose", "base disk", "qemu": for people
	Plan   *Plan  // shown as the job's plan; may be nil
	// VM says that the work starts a virtual machine; those are bounded.
	VM bool
	// Moves says that the work only brings here, or unpacks, what exists: who may
	// read may start it.
	Moves bool
	// Space is an estimate of the bytes that the work will write; the runner
	// refuses to start with a ClassSpace failure when they are not free. 0 = unknown.
	Space int64
	// Done looks for a result that exists already. It is asked before the work
	// starts and again when another process, which held the claim, let go.
	Done func(ctx context.Context) (Result, bool, error)
	// Run does the work. Its ctx ends when nobody waits any more.
	Run func(ctx context.Context, t *Task) (Result, error)
}

// A Result is what a work gives.
type Result struct {
	Build string `json:"build,omitempty"` // the build id it belongs to
	Path  string `json:"path,omitempty"`  // absolute path of the file made, if it is one
	Size  int64  `json:"size"`            // bytes of that file
	// New says that a new build was made (false: nothing had changed).
	New bool `json:"new,omitempty"`
	// Same says that what was made again came out as recorded: nothing changed.
	Same bool `json:"same,omitempty"`
}

// A JobState is where a job stands.
type JobState string

// The states of a job.
const (
	JobWaiting   JobState = "waiting" // for a claim or a virtual machine slot
	JobRunning   JobState = "running"
	JobDone      JobState = "done"
	JobFailed    JobState = "failed"
	JobCancelled JobState = "cancelled"
)

// A JobInfo describes a job at one moment.
type JobInfo struct {
	ID       string    `json:"id"`
	Key      string    `json:"key"`
	Target   Target    `json:"target"`
	Title    string    `json:"title"`
	State    JobState  `json:"state"`
	Phase    string    `json:"phase,omitempty"`
	Fraction float64   `json:"fraction"` // 0 to 1; negative = unknown
	Waiters  int       `json:"waiters"`
	Until    time.Time `json:"until,omitzero"` // when it ends if nobody waits and nobody comes; zero = not at all
	Attempt  int       `json:"attempt"`
	PID      int       `json:"pid"` // of the process that runs it
	Started  time.Time `json:"started"`
	Ended    time.Time `json:"ended,omitzero"`
	Error    string    `json:"error,omitempty"`
	Class    Class     `json:"class,omitempty"`
	Hint     string    `json:"hint,omitempty"`
	Log      string    `json:"log,omitempty"` // path of the log on this machine
}

// Active says whether the job waits or runs.
func (j JobInfo) Active() bool { return j.State == JobWaiting || j.State == JobRunning }

// Line describes the job in one line for people, such as those who read
// .cosafs/status.
func (j JobInfo) Line() string {
	line := fmt.Sprintf("job %s: %s %s: %s", j.ID, j.Target, j.Title, j.State)
	if j.Active() {
		line += fmt.Sprintf(", %s, %d waiting", j.Phase, j.Waiters)
	}
	if j.Error != "" {
		line += ": " + j.Error
	}
	if j.Hint != "" {
		line += " (" + j.Hint + ")"
	}
	return line
}

// A Step is one thing that a plan does, and why.
type Step struct {
	Do   string `json:"do"`             // "compose", "export", "base disk", "qemu", "read"
	What string `json:"what"`           // what comes of it
	Why  string `json:"why"`            // why it has to be done, or why it hasn't
	Key  string `json:"key,omitempty"`  // hash of its inputs
	Done bool   `json:"done,omitempty"` // its result exists: costs nothing
}

// A Plan says what opening a target would do now.
type Plan struct {
	Target Target `json:"target"`
	State  State  `json:"state"`
	Reason string `json:"reason"` // one sentence for a person
	Inputs string `json:"inputs,omitempty"`
	Steps  []Step `json:"steps"`
	Job    string `json:"job,omitempty"` // id of the job that is at it, or that failed
}
