package s3server

import (
	"bytes"
	"context"
	"net"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// A Process is a server program, which ends with the test at the latest.
type Process struct {
	cmd *exec.Cmd
	log bytes.Buffer
}

// Run starts a program and returns when somebody listens at addr. What the
// program says is shown if the test fails.
func Run(tb testing.TB, addr string, cmd *exec.Cmd) *Process {
	tb.Helper()
	p := &Process{cmd: cmd}
	cmd.Stdout, cmd.Stderr = &p.log, &p.log
	cmd.WaitDelay = time.Second // children that outlive it may hold its output
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	// The death signal comes with the end of the thread that started the server.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		tb.Fatalf("start %s: %v", cmd.Path, err)
	}
	tb.Cleanup(func() { p.Stop(tb) })
	await(tb, addr)
	return p
}

// Stop ends the program and its children at once.
func (p *Process) Stop(tb testing.TB) {
	tb.Helper()
	if p.cmd.ProcessState != nil {
		return // it was stopped before
	}
	_ = syscall.Kill(-p.PID(), syscall.SIGKILL) // it may have ended by itself, which its log says
	_ = p.cmd.Wait()
	if tb.Failed() {
		tb.Logf("%s: %s", p.cmd.Path, p.log.String())
	}
}

// PID is the program's process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// await returns when somebody listens at addr.
func await(tb testing.TB, addr string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-ctx.Done():
			tb.Fatalf("the server at %s does not answer: %v", addr, err)
		case <-tick.C:
		}
	}
}

// FreeAddr gives an address of this machine where nobody listens.
func FreeAddr(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }() // nobody connected
	return l.Addr().String()
}
