package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"cosafs/materialize"
	"cosafs/vfs/webui"
)

// The exit codes, as --help lists them.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitPartial     = 3
	exitInterrupted = 130 // 128 + SIGINT, as shells count
)

// exitCodes is the table for people.
const exitCodes = `0    done
1    failed; the reason and a hint are on standard error
2    wrong usage
3    some of the things asked for failed, others were done
130  interrupted`

// A usageError means that the command line can't be meant.
type usageError struct {
	text string
	hint string
}

// Error gives the text.
func (e *usageError) Error() string { return e.text }

// usagef gives a usage error of a command.
func usagef(command, format string, args ...any) error {
	hint := "cosafs " + strings.TrimSpace(command+" --help") + " shows the usage"
	return &usageError{text: fmt.Sprintf(format, args...), hint: hint}
}

// errPartial means that some of several things failed; each was reported.
var errPartial = errors.New("some failed")

// A hinted error carries what to do about it, where a failure's class is of no
// interest.
type hinted struct {
	error
	hint string
}

// Unwrap gives the error without the hint.
func (h *hinted) Unwrap() error { return h.error }

// hintf adds a hint to err, unless it has one from nearer to the cause.
func hintf(err error, format string, args ...any) error {
	if _, hint := materialize.ClassOf(err); err == nil || hint != "" {
		return err
	}
	var h *hinted
	if errors.As(err, &h) {
		return err
	}
	return &hinted{error: err, hint: fmt.Sprintf(format, args...)}
}

// report tells err and gives the exit code that it means.
func (p *program) report(ctx context.Context, err error) int {
	if err == nil {
		err = p.lost
	}
	var usage *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errPartial):
		return exitPartial
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		p.talk("cosafs: interrupted")
		return exitInterrupted
	case errors.As(err, &usage):
		p.complain(err)
		return exitUsage
	}
	if !errors.Is(err, errReported) {
		p.complain(err)
	}
	return exitFailure
}

// errReported means that the output has said what is wrong.
var errReported = errors.New("reported")

// complain writes the error and what to do about it. -q doesn't silence errors.
func (p *program) complain(err error) {
	printTo(p.stderr, "cosafs: %s\n", materialize.OneLine(err.Error()))
	printTo(p.stderr, "hint: %s\n", hintFor(err))
}

// hintFor gives the hint nearest to the cause, or the general one for what err is.
func hintFor(err error) string {
	var usage *usageError
	if errors.As(err, &usage) {
		return usage.hint
	}
	class, hint := materialize.ClassOf(err)
	if hint != "" {
		return hint
	}
	var h *hinted
	if errors.As(err, &h) {
		return h.hint
	}
	return generalHint(class, err)
}

// generalHint is for errors that nobody nearer had a hint for.
func generalHint(class materialize.Class, err error) string {
	switch {
	case class == materialize.ClassConfig:
		return "mend src/config, then run the command again"
	case class == materialize.ClassSpace:
		return "cosafs prune deletes old builds"
	case class == materialize.ClassNetwork:
		return "try again when the network is back; cosafs retry forgets the failure"
	case errors.Is(err, webui.ErrNoDaemon):
		return "cosafs mount starts one"
	case errors.Is(err, materialize.ErrNotMakeable):
		return "cosafs ls --all lists what can be made"
	case errors.Is(err, fs.ErrNotExist):
		return "cosafs list shows the builds, cosafs ls --all the files"
	case errors.Is(err, fs.ErrPermission):
		return "run it as the user who owns the build directory"
	}
	return "cosafs doctor checks this machine; -v says more"
}

// each does one thing for every argument, reports each failure, and says
// whether all, some or none went well.
func (p *program) each(ctx context.Context, args []string, do func(string) error) error {
	var failed []error
	for _, arg := range args {
		err := do(arg)
		if err != nil && (len(args) == 1 || ctx.Err() != nil) {
			return err
		}
		if err != nil {
			p.complain(err)
			failed = append(failed, err)
		}
	}
	switch len(failed) {
	case 0:
		return nil
	case len(args):
		return errReported
	}
	return errPartial
}
