package materialize

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

// Sentinels that doors translate; everything else is one of io/fs's.
var (
	// ErrAbandoned is the cause of a job's end when nobody waits for it any more.
	ErrAbandoned = errors.New("nobody waits for it any more")
	// ErrCancelled is the cause of a job's end when somebody cancelled it.
	ErrCancelled = errors.New("cancelled")
	// ErrNotMakeable means that no recipe gives the wanted artifact.
	ErrNotMakeable = errors.New("no recipe makes it")
	// ErrCorrupt means that bytes do not have the digest that is recorded for them.
	ErrCorrupt = errors.New("bytes do not match the recorded sha256")
	// ErrGone means that a recorded artifact's bytes are nowhere any more, and nothing
	// made now could pass for them. It is an [fs.ErrNotExist], and reads like it; a file
	// that work needs and lacks, such as one of the configuration, is that alone.
	ErrGone = fmt.Errorf("%w", fs.ErrNotExist)
)

// A Class says what kind of thing went wrong, and so whether trying again can help.
type Class string

// The classes of failures.
const (
	ClassConfig   Class = "config"   // manifest, image.yaml or overrides are wrong
	ClassPackage  Class = "package"  // a package is missing, broken, or its scriptlet failed
	ClassSpace    Class = "space"    // a disk is full
	ClassNetwork  Class = "network"  // a repository or store did not answer
	ClassTool     Class = "tool"     // a program or device this machine should have is missing
	ClassVM       Class = "vm"       // the virtual machine died or hung
	ClassGuest    Class = "guest"    // the code inside the virtual machine reported an error
	ClassInternal Class = "internal" // anything else
)

// TTL is how long a failure of the class is remembered and answers further
// opens of the same inputs. Transient causes are forgotten soon.
func (c Class) TTL() time.Duration {
	switch c {
	case ClassSpace, ClassNetwork, ClassTool, ClassVM:
		return 10 * time.Second
	default:
		return time.Hour
	}
}

// A Failure is an error that a person can act on: what was being done, what
// went wrong, and what to do next. It wraps its cause.
type Failure struct {
	Class Class
	Op    string // what was being done: "compose", "write disk"
	Hint  string // what to do next; a command where there is one
	Err   error
}

// Fail wraps err with what was being done and what to do about it.
func Fail(class Class, op, hint string, err error) *Failure {
	return &Failure{Class: class, Op: op, Hint: hint, Err: err}
}

// Error gives one line without the hint.
func (f *Failure) Error() string { return OneLine(fmt.Sprintf("%s: %v", f.Op, f.Err)) }

// shownLines is how many lines of what a program said fit into one.
const shownLines = 4

// OneLine joins the lines of what a program said, so that it fits into an error,
// an attribute or a table. What is too long is only in the log.
func OneLine(text string) string {
	if !strings.Contains(text, "\n") {
		return text
	}
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimPrefix(strings.TrimSpace(line), "- "); line != "" {
			lines = append(lines, line)
		}
	}
	if more := len(lines) - shownLines; more > 0 {
		lines = append(lines[:shownLines], fmt.Sprintf("%d more lines are in the log", more))
	}
	return strings.ReplaceAll(strings.Join(lines, "; "), ":; ", ": ")
}

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

// ClassOf gives the class and hint of the innermost-known failure in err's
// chain; ClassInternal and "" where there is none.
func ClassOf(err error) (Class, string) {
	var f *Failure
	if errors.As(err, &f) {
		return f.Class, f.Hint
	}
	return ClassInternal, ""
}
