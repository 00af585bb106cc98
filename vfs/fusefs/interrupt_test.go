package fusefs_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cosafs/vfs/vfstest"
)

// slowPath waits at the gate "slow" of the default fixture.
const slowPath = "43.1/x86_64/os-43.1-slow.x86_64.raw"

// blockedCat starts cat on a file that is not ready and waits until it waits.
func blockedCat(t *testing.T, r *vfstest.Remote) (cmd *exec.Cmd, out *bytes.Buffer) {
	t.Helper()
	cmd = exec.CommandContext(t.Context(), "cat", filepath.Join(r.Dir, slowPath))
	out = &bytes.Buffer{}
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waiting(t, r, 1)
	return cmd, out
}

// waiting waits until so many opens wait.
func waiting(t *testing.T, r *vfstest.Remote, n int) {
	t.Helper()
	vfstest.Eventually(t, "opens wait", func() bool {
		reply, err := r.Do(vfstest.Command{Op: "counters"})
		return err == nil && reply.Counters.Waiting == n
	})
}

// TestKillEndsBlockedOpen: fatal signals end a blocked open at once, also as
// the second signal.
func TestKillEndsBlockedOpen(t *testing.T) {
	for _, c := range []struct {
		name    string
		signals []syscall.Signal
	}{
		{"^C", []syscall.Signal{unix.SIGINT}},
		{"TERM", []syscall.Signal{unix.SIGTERM}},
		{"KILL", []syscall.Signal{unix.SIGKILL}},
		{"stopped, continued, then KILL", []syscall.Signal{unix.SIGSTOP, unix.SIGCONT, unix.SIGKILL}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t, vfstest.Default(t))
			cmd, _ := blockedCat(t, r)
			for _, s := range c.signals {
				if err := cmd.Process.Signal(s); err != nil {
					t.Fatal(err)
				}
			}
			begin := time.Now()
			err := cmd.Wait()
			var exit *exec.ExitError
			if took := time.Since(begin); took > time.Second || !errors.As(err, &exit) {
				t.Errorf("cat ended after %v with %v, want it killed within a second", took, err)
			}
			waiting(t, r, 0)
		})
	}
}

// TestOtherSignalsDoNotDisturb: a stopped and continued program, and one that
// handles a signal, get their bytes.
func TestOtherSignalsDoNotDisturb(t *testing.T) {
	f := vfstest.Default(t)
	r := start(t, f)
	cmd, out := blockedCat(t, r)
	for _, s := range []syscall.Signal{unix.SIGSTOP, unix.SIGCONT, unix.SIGURG, unix.SIGWINCH} {
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Do(vfstest.Command{Op: "gate", Name: "slow"}); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || !bytes.Equal(out.Bytes(), wantBytes(t, f, slowPath)) {
		t.Errorf("cat gives %d bytes, %v", out.Len(), err)
	}
	if reply, err := r.Do(vfstest.Command{Op: "counters"}); err != nil || reply.Counters.Opens != 1 {
		t.Errorf("counters %+v, %v, want one open", reply.Counters, err)
	}
}

// TestManyProcessesOneMaking: a hundred processes open the same missing file.
func TestManyProcessesOneMaking(t *testing.T) {
	f := vfstest.Default(t)
	r := start(t, f)
	const processes = 100
	cmds := make([]*exec.Cmd, processes)
	outs := make([]bytes.Buffer, processes)
	for i := range cmds {
		cmds[i] = exec.CommandContext(t.Context(), "cat", filepath.Join(r.Dir, slowPath))
		cmds[i].Stdout = &outs[i]
		if err := cmds[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	waiting(t, r, processes)
	if _, err := os.Stat(filepath.Join(r.Dir, "builds.json")); err != nil {
		t.Errorf("the mount does not answer while opens wait: %v", err)
	}
	if _, err := r.Do(vfstest.Command{Op: "gate", Name: "slow"}); err != nil {
		t.Fatal(err)
	}
	want := wantBytes(t, f, slowPath)
	for i, cmd := range cmds {
		if err := cmd.Wait(); err != nil || !bytes.Equal(outs[i].Bytes(), want) {
			t.Errorf("process %d: %d bytes, %v", i, outs[i].Len(), err)
		}
	}
	if reply, err := r.Do(vfstest.Command{Op: "counters"}); err != nil || reply.Counters.Made != 1 {
		t.Errorf("counters %+v, %v, want one making", reply.Counters, err)
	}
}

// TestErrnos: what a failed open says.
func TestErrnos(t *testing.T) {
	r := start(t, vfstest.Default(t))
	for path, want := range map[string]error{
		"43.1/x86_64/os-43.1-broken.x86_64.ova": unix.EIO,
		"43.1/x86_64/os-43.1-full.x86_64.raw":   unix.ENOSPC,
	} {
		if _, err := os.ReadFile(filepath.Join(r.Dir, path)); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
}
