package appliance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"cosafs/materialize"
)

// leaveTime is how long qemu may take to end after the guest gave its answer.
const leaveTime = 10 * time.Second

// A guestError is what the guest says went wrong.
type guestError string

func (e guestError) Error() string { return string(e) }

// A vm is one running qemu. Two socket pairs lead to it, so nothing has a
// name in a file system, and both ends vanish with their processes.
type vm struct {
	port    *os.File // our end of the virtio-serial port
	monitor *monitor
	events  chan Event    // closed when the port is
	quit    chan struct{} // closed when nobody takes events any more
	exited  chan struct{} // closed when qemu has ended
	said    tail          // what qemu printed
}

// start runs qemu with args and joins it up. Ctx's end kills it.
func start(ctx context.Context, t *materialize.Task, qemu string, args []string) (*vm, error) {
	port, guestPort, err := socketPair("port")
	if err != nil {
		return nil, err
	}
	defer func() { _ = guestPort.Close() }() // qemu has its own
	control, qemuControl, err := socketPair("monitor")
	if err != nil {
		_ = port.Close() // never used
		return nil, err
	}
	defer func() { _ = qemuControl.Close() }() // qemu has its own
	v := &vm{port: port, events: make(chan Event), quit: make(chan struct{}), exited: make(chan struct{})}
	cmd := materialize.CommandContext(ctx, t, qemu, append(args,
		"-device", "virtio-serial-pci", "-chardev", "socket,id=port,fd=3",
		"-device", "virtserialport,chardev=port,name="+Port,
		"-chardev", "socket,id=monitor,fd=4", "-mon", "chardev=monitor,mode=control")...)
	cmd.ExtraFiles = []*os.File{guestPort, qemuControl}
	cmd.Stdout = io.MultiWriter(logOf(t), &v.said)
	cmd.Stderr = cmd.Stdout
	cmd.Env = append(cmd.Environ(), "TMPDIR="+t.Scratch) // of the root's snapshot
	// Its disks are thrown away with it, and one that hangs ignores SIGTERM.
	cmd.Cancel = func() error { return killGroup(cmd.Process.Pid) }
	if err := v.spawn(cmd); err != nil {
		_, _ = port.Close(), control.Close() // never used
		return nil, err
	}
	v.monitor = watch(control)
	go v.listen()
	return v, nil
}

// spawn starts cmd so that it dies with us, also when we're killed: the kernel
// sends the signal when the thread that started it ends, so that thread waits.
func (v *vm) spawn(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	started := make(chan error)
	go func() {
		defer close(v.exited)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // the code says nothing: a guest's panic ends qemu with 0
		}
	}()
	return <-started
}

// killGroup kills a process and its children.
func killGroup(pid int) error {
	err := unix.Kill(-pid, unix.SIGKILL)
	if errors.Is(err, unix.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

// listen passes on events until the port closes.
func (v *vm) listen() {
	defer close(v.events)
	in := json.NewDecoder(v.port)
	for {
		var e Event
		if in.Decode(&e) != nil {
			return
		}
		select {
		case v.events <- e:
		case <-v.quit:
			return
		}
	}
}

// follow talks with the guest until it answers. It may take boot to come up,
// and from then on be idle for so long as the session says.
func (v *vm) follow(ctx context.Context, s *session, boot time.Duration) (json.RawMessage, error) {
	silence, reason := time.NewTimer(boot), errNotUp
	defer silence.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-silence.C:
			return nil, reason
		case <-v.monitor.full:
			return nil, unix.ENOSPC
		case e, ok := <-v.events:
			if !ok {
				return nil, ErrDied
			}
			silence.Reset(s.run.Idle)
			reason = ErrSilent
			s.up = s.up || e.Up
			s.onEvent(e)
			if result, err := v.answer(e, s.run.Job); result != nil || err != nil {
				return result, err
			}
		}
	}
}

// answer does what an event asks for: sends the job, or ends it.
func (v *vm) answer(e Event, job any) (json.RawMessage, error) {
	switch {
	case e.Error != "":
		return nil, guestError(e.Error)
	case e.Up:
		if err := json.NewEncoder(v.port).Encode(job); err != nil {
			return nil, fmt.Errorf("%w: send job: %w", ErrDied, err)
		}
	}
	return e.Result, nil
}

// wait gives qemu time to end, kills it if it doesn't, and returns what it
// printed when all that belongs to it is gone.
func (v *vm) wait(kill func()) string {
	leave := time.NewTimer(leaveTime)
	defer leave.Stop()
	select {
	case <-v.exited:
	case <-leave.C:
		kill()
		<-v.exited
	}
	close(v.quit)
	_ = v.port.Close() // qemu is gone
	for range v.events {
	}
	v.monitor.close()
	return v.said.String()
}

// socketPair gives two joined ends; the first is ours.
func socketPair(name string) (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil { // else Close waits for readers
		return nil, nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fds[0]), name), os.NewFile(uintptr(fds[1]), name), nil
}
