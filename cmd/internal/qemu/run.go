package qemu

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/term"

	"cosafs/materialize"
)

// grace is how long qemu has to end after SIGTERM before it is killed.
const grace = 5 * time.Second

// Streams are what a machine's console is joined to, and qemu's environment.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	Env      []string
}

// Run boots the media and returns when the machine has ended: nil when it was
// shut down or the person ended it, ctx's error when ctx has ended, which ends
// the machine, else a Failure: ClassTool without qemu, ClassVM with the code
// that qemu ended with. Our own end, whatever its kind, ends the machine, too.
func (m *Machine) Run(ctx context.Context, media *Media, s Streams) error {
	program, err := exec.LookPath(m.Program())
	if err != nil {
		return materialize.Fail(materialize.ClassTool, op, "apt-get install "+m.pkg(), err)
	}
	args, err := m.Args(media)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.In, s.Out, s.Err
	cmd.Env = s.Env
	if m.TempDir != "" {
		cmd.Env = append(cmd.Environ(), "TMPDIR="+m.TempDir) // of snapshots, whose names qemu deletes at once
	}
	cmd.ExtraFiles = media.files
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = grace
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	defer keepTerminal(s.In)()
	err = onOneThread(cmd.Run)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return materialize.Fail(materialize.ClassVM, op, m.hint(media), fmt.Errorf("%s: %w", m.Program(), err))
	}
	return nil
}

// onOneThread calls a function on a thread that does nothing else: the kernel
// sends Pdeathsig when the thread that started a process ends.
func onOneThread(call func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		result <- call()
	}()
	return <-result
}

// keepTerminal gives what puts a terminal back as it was: qemu does so itself,
// but not when it is killed.
func keepTerminal(in io.Reader) (restore func()) {
	f, ok := in.(*os.File)
	if !ok {
		return func() {}
	}
	state, err := term.GetState(int(f.Fd()))
	if err != nil { // no terminal
		return func() {}
	}
	return func() { _ = term.Restore(int(f.Fd()), state) } // it may be gone
}

// pkg is Debian's package of the program.
func (m *Machine) pkg() string {
	if m.Arch == "aarch64" {
		return "qemu-system-arm"
	}
	return "qemu-system-x86"
}

// hint says what to do when qemu has failed.
func (m *Machine) hint(media *Media) string {
	if node, ok := media.node.(map[string]any); ok && node["url"] != nil {
		return "qemu reads URLs with apt-get install qemu-block-extra"
	}
	if m.KVM {
		return "try again with --kvm off"
	}
	return "qemu has said above what is wrong; cosafs doctor says what is missing"
}
