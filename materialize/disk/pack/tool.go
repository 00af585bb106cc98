package pack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"

	"golang.org/x/sys/unix"

	"cosafs/materialize"
)

// A tool is a program of this machine.
type tool struct {
	op     string // what it's run for, as in [materialize.Failure]
	name   string
	debian string // the package that has it
	env    []string
	in     io.Reader // nil is none
	out    io.Writer // nil is none
}

// run runs it for the task, and ends it with ctx. What it says on stderr is in the
// error, which has materialize.ClassTool if the program is not installed and
// ClassSpace if a disk is full.
func (l tool) run(ctx context.Context, t *materialize.Task, args ...string) error {
	if _, err := exec.LookPath(l.name); err != nil {
		return materialize.Fail(materialize.ClassTool, l.op, "apt-get install "+l.debian, err)
	}
	var said bytes.Buffer
	cmd := materialize.CommandContext(ctx, t, l.name, args...)
	cmd.Env = append(cmd.Env, l.env...)
	out := &remembering{w: l.out}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = l.in, nil, &said
	if l.out != nil {
		cmd.Stdout = out
	}
	err := cmd.Run()
	if t.Log != nil {
		_, _ = t.Log.Write(said.Bytes()) // a log that can't be written must not fail the work
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case out.err != nil: // and then the tool's is that its pipe broke
		return failure(l.op, out.err)
	case err != nil:
		return failure(l.op, fmt.Errorf("%s: %w: %s", l.name, err, bytes.TrimSpace(said.Bytes())))
	}
	return nil
}

// failure gives err the class of a full disk if it is one; programs only print the
// reason.
func failure(op string, err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) ||
		bytes.Contains([]byte(err.Error()), []byte(unix.ENOSPC.Error())) {
		return materialize.Fail(materialize.ClassSpace, op, "free space where the build directory lies", err)
	}
	return fmt.Errorf("%s: %w", op, err)
}

// A remembering writer keeps its error: [exec.Cmd.Run] gives that of the program,
// which then can't write either, before it.
type remembering struct {
	w   io.Writer
	err error
}

func (r *remembering) Write(p []byte) (int, error) {
	n, err := r.w.Write(p)
	if err != nil {
		r.err = err
	}
	return n, err
}
