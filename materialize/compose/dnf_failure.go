package compose

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"cosafs/materialize"
)

// A driverError is what dnf could not do.
type driverError struct {
	kind, message, name string
	err                 error // of its process; may be nil
	trouble             *scanner
}

func (e *driverError) Error() string {
	text := "dnf: " + e.message
	if e.kind == "died" {
		text = "dnf ended early: " + e.message
	}
	if e.err != nil {
		text += ": " + e.err.Error()
	}
	return text
}

func (e *driverError) Unwrap() error { return e.err }

// explain gives an error of the driver its class and a hint.
func (c *composition) explain(err error) error {
	e, ok := errors.AsType[*driverError](err)
	if !ok {
		return err
	}
	if noSpace(e.message) || noSpace(e.trouble.text()) {
		return materialize.Fail(materialize.ClassSpace, "compose", "free some space below "+c.cfg.Workdir+" and try again", err)
	}
	if e.kind == "transaction" || e.kind == "died" {
		// A scriptlet that stopped the transaction says more than its end.
		if f := e.trouble.failure(); f != nil {
			return f
		}
	}
	class, hint := c.classify(e)
	return materialize.Fail(class, "compose", hint, err)
}

// classify is the table of what the driver tells.
func (c *composition) classify(e *driverError) (materialize.Class, string) {
	switch e.kind {
	case "missing":
		file, line := c.tf.Where("packages")
		return materialize.ClassPackage, fmt.Sprintf("correct the name in %s (line %d), or add a repository that has it", file, line)
	case "depsolve":
		return materialize.ClassPackage, "add the repository that provides it, or take the package out of the manifest"
	case "signature":
		return materialize.ClassPackage, "name the right key in the repository's gpgkey=, or replace the package"
	case "no-repo":
		return materialize.ClassConfig, fmt.Sprintf("define [%s] in a *.repo file in %s", e.name, filepath.Dir(c.cfg.Manifest))
	case "config":
		return materialize.ClassConfig, "mend the *.repo files in " + filepath.Dir(c.cfg.Manifest)
	case "network":
		return materialize.ClassNetwork, "check that the repository's address answers, then try again"
	case "tool":
		return materialize.ClassTool, "install dnf's Python module: apt install dnf, or dnf install python3-dnf"
	case "transaction":
		return materialize.ClassPackage, "the log has what rpm said"
	default:
		return materialize.ClassInternal, "the log has what dnf said"
	}
}

// What rpm says about things that are wrong although the transaction succeeds.
var (
	scriptFailed = regexp.MustCompile(`^(?:warning|error): %(\w+)\((.+)\) scriptlet failed, (.+)$`)
	scriptError  = regexp.MustCompile(`^Error in (\w+) scriptlet in rpm package (\S+)$`)
	noOwner      = regexp.MustCompile(`^warning: (user|group) (\S+) does not exist - using root$`)
	badPayload   = regexp.MustCompile(`^Error (?:unpacking|in cpio payload of) rpm package (\S+)$`)
)

// keptLines is how many lines of the output are kept for an error.
const keptLines = 40

// A scanner reads what rpm and scriptlets print, line by line, and remembers
// the first sign of trouble. It is written by one goroutine of os/exec, and
// read when that has ended.
type scanner struct {
	partial []byte
	lines   []string // the last ones
	last    string
	found   *materialize.Failure
	vague   *materialize.Failure // a scriptlet failed, it is not said how
}

// Write takes output in.
func (s *scanner) Write(p []byte) (int, error) {
	s.partial = append(s.partial, p...)
	for {
		line, rest, ok := bytes.Cut(s.partial, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		s.line(strings.TrimSpace(string(line)))
		s.partial = rest
	}
}

func (s *scanner) line(line string) {
	if line == "" {
		return
	}
	s.last = line
	if s.lines = append(s.lines, line); len(s.lines) > keptLines {
		s.lines = s.lines[1:]
	}
	if s.found != nil {
		return
	}
	fail := func(hint, format string, args ...any) *materialize.Failure {
		return materialize.Fail(materialize.ClassPackage, "compose", hint, fmt.Errorf(format, args...))
	}
	if m := scriptFailed.FindStringSubmatch(line); m != nil {
		s.found = fail("mend the package, or leave it out of the manifest; the log has what its scriptlet printed",
			"%%%s scriptlet of package %s failed, %s", m[1], m[2], m[3])
	} else if m := scriptError.FindStringSubmatch(line); m != nil {
		s.vague = fail("mend the package, or leave it out of the manifest; the log has what its scriptlet printed",
			"%s scriptlet of package %s failed", m[1], m[2])
	} else if m := noOwner.FindStringSubmatch(line); m != nil {
		s.found = fail("install the package that makes it first: it has to be required with Requires(pre)",
			"a file belongs to the %s %s, which does not exist", m[1], m[2])
	} else if m := badPayload.FindStringSubmatch(line); m != nil {
		// rpm gives no reason, not even a full disk's.
		s.vague = fail("see whether the disk is full, also of files (df -i); else the package is damaged", "package %s could not be unpacked", m[1])
	}
}

// failure gives the first trouble, nil if there was none.
func (s *scanner) failure() error {
	switch {
	case s.found != nil:
		return s.found
	case s.vague != nil:
		return s.vague
	default:
		return nil
	}
}

// text gives the last lines.
func (s *scanner) text() string { return strings.Join(s.lines, "\n") }
