package materialize

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"syscall"
)

// A Tool is a program of this machine that works run.
type Tool struct {
	Op   string // what it is run for, as in [Failure]
	Name string
	Env  []string  // beside that of [CommandContext]
	In   io.Reader // nil is none
	Out  io.Writer // nil is none
}

// Run runs it for the task by [CommandContext]. What it says on stderr goes to the
// task's log and is in the error, which has ClassTool if the program is not installed
// and ClassSpace if a disk is full. A failure of Out goes before the program's, which
// then is that its pipe broke.
func (l Tool) Run(ctx context.Context, t *Task, args ...string) error {
	if _, err := exec.LookPath(l.Name); err != nil {
		return Fail(ClassTool, l.Op, "apt-get install "+debianPackage(l.Name), err)
	}
	var said bytes.Buffer
	cmd := CommandContext(ctx, t, l.Name, args...)
	cmd.Env = append(cmd.Env, l.Env...)
	out := &remembering{w: l.Out}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = l.In, nil, &said
	if l.Out != nil {
		cmd.Stdout = out
	}
	err := cmd.Run()
	if t.Log != nil {
		_, _ = t.Log.Write(said.Bytes()) // a log that can't be written must not fail the work
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case out.err != nil:
		return FailFull(l.Op, out.err)
	case err != nil:
		return FailFull(l.Op, fmt.Errorf("%s: %w: %s", l.Name, err, bytes.TrimSpace(said.Bytes())))
	}
	return nil
}

// Output is Run and gives what the program prints.
func (l Tool) Output(ctx context.Context, t *Task, args ...string) ([]byte, error) {
	var out bytes.Buffer
	l.Out = &out
	err := l.Run(ctx, t, args...)
	return out.Bytes(), err
}

// FailFull gives an error of op ClassSpace if it is that of a full disk, of which
// programs only print the reason.
func FailFull(op string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) ||
		bytes.Contains([]byte(err.Error()), []byte(syscall.ENOSPC.Error())) {
		return Fail(ClassSpace, op, "free space where the build directory lies", err)
	}
	return fmt.Errorf("%s: %w", op, err)
}

// A remembering writer keeps its error: [exec.Cmd.Run] gives that of the program before it.
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

// debianPackage names the Debian package of a program.
func debianPackage(program string) string {
	switch program {
	case "mke2fs", "debugfs":
		return "e2fsprogs"
	case "qemu-img", "qemu-io":
		return "qemu-utils"
	case "cp":
		return "coreutils"
	case "xz":
		return "xz-utils"
	case "sgdisk":
		return "gdisk"
	case "mkfs.fat":
		return "dosfstools"
	case "mcopy":
		return "mtools"
	case "grub-mkimage":
		return "grub-common"
	case "mksquashfs":
		return "squashfs-tools"
	case "mkfs.erofs":
		return "erofs-utils"
	case "unshare":
		return "util-linux"
	}
	return program
}
