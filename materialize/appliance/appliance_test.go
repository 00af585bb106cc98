package appliance_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"cosafs/materialize"
	"cosafs/materialize/appliance"
	"cosafs/materialize/disk/install"
	"cosafs/materialize/guest"
	"cosafs/test/need"
)

// TestMain lets the test program be the guest's init, as cosafs is, and a
// process that is killed while it runs a virtual machine.
func TestMain(m *testing.M) {
	if guest.IsInit() {
		fmt.Fprintln(os.Stderr, guest.Main(context.Background()))
		return
	}
	if dir := os.Getenv("COSAFS_TEST_RUN_IN"); dir != "" {
		runToBeKilled(dir)
		return
	}
	m.Run()
}

// needVM asks for programs, and for the patience to start a virtual machine.
func needVM(t *testing.T, programs ...string) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a virtual machine")
	}
	need.Tool(t, programs...)
}

func newTask(t *testing.T) *materialize.Task {
	t.Helper()
	return &materialize.Task{Job: strings.ReplaceAll(t.Name(), "/", "-"), Scratch: t.TempDir(), Log: t.Output()}
}

// prepared gives an appliance in dir.
func prepared(t *testing.T, dir string) *appliance.Appliance {
	t.Helper()
	needVM(t, "supermin", "qemu-system-x86_64")
	a, err := appliance.Prepare(t.Context(), appliance.Config{Dir: dir}, newTask(t))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// wantClass fails the test if err isn't a failure of the class, with a hint.
func wantClass(t *testing.T, err error, class materialize.Class) {
	t.Helper()
	var f *materialize.Failure
	if !errors.As(err, &f) || f.Class != class || f.Hint == "" {
		t.Fatalf("got %v, want a failure of class %s with a hint", err, class)
	}
}

// processes gives the ids of the processes that belong to a job.
func processes(t *testing.T, job string) []int {
	t.Helper()
	found, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	var ids []int
	for _, path := range found {
		env, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(env, []byte(materialize.JobEnv+"="+job+"\x00")) {
			continue // it has ended, or isn't ours
		}
		id, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

// signal sends a signal to the job's processes, of which there must be one.
func signal(t *testing.T, job string, s syscall.Signal) {
	t.Helper()
	ids := processes(t, job)
	if len(ids) == 0 {
		t.Error("the virtual machine has no process")
	}
	for _, id := range ids {
		if err := syscall.Kill(id, s); err != nil {
			t.Errorf("%v to %d: %v", s, id, err)
		}
	}
}

// gone waits until no process of the job is there.
func gone(t *testing.T, job string) {
	t.Helper()
	again, late := time.NewTicker(20*time.Millisecond), time.NewTimer(10*time.Second)
	defer again.Stop()
	defer late.Stop()
	for {
		left := processes(t, job)
		if len(left) == 0 {
			return
		}
		select {
		case <-again.C:
		case <-late.C:
			t.Fatalf("processes %v are left", left)
		}
	}
}

func TestPrepareOnce(t *testing.T) {
	dir := t.TempDir()
	needVM(t, "supermin", "qemu-system-x86_64")
	dirs := make(chan string)
	for range 2 {
		go func() {
			a, err := appliance.Prepare(t.Context(), appliance.Config{Dir: dir}, newTask(t))
			if err != nil {
				t.Error(err)
				a = &appliance.Appliance{}
			}
			dirs <- a.Dir
		}()
	}
	if a, b := <-dirs, <-dirs; a != b {
		t.Errorf("two appliances at once: %s, %s", a, b)
	}
	found, err := filepath.Glob(filepath.Join(dir, "*", "root"))
	if err != nil || len(found) != 1 {
		t.Errorf("%v, %v; want one root", found, err)
	}
}

// TestGuestError leaves KVM to the probe: where it doesn't work, the guest comes
// up all the same.
func TestGuestError(t *testing.T) {
	a := prepared(t, t.TempDir())
	up := false
	_, err := a.Run(t.Context(), appliance.Run{Job: guest.Job{Install: &install.Job{}}}, newTask(t), func(e appliance.Event) { up = up || e.Up })
	wantClass(t, err, materialize.ClassGuest)
	if !up || !strings.Contains(err.Error(), guest.TargetDisk) {
		t.Errorf("up = %v, error %v; want the guest to come up and miss its disk", up, err)
	}
}

func TestVirtualMachineEnds(t *testing.T) {
	t.Setenv("COSA_NO_KVM", "1") // the probe is another test's
	a := prepared(t, t.TempDir())
	t.Run("killed", func(t *testing.T) {
		task := newTask(t)
		_, err := a.Run(t.Context(), appliance.Run{}, task, func(appliance.Event) { signal(t, task.Job, syscall.SIGKILL) })
		wantClass(t, err, materialize.ClassVM)
		if !errors.Is(err, appliance.ErrDied) {
			t.Errorf("got %v, want ErrDied", err)
		}
	})
	t.Run("stopped", func(t *testing.T) {
		task := newTask(t)
		run := appliance.Run{Idle: time.Second}
		_, err := a.Run(t.Context(), run, task, func(appliance.Event) { signal(t, task.Job, syscall.SIGSTOP) })
		wantClass(t, err, materialize.ClassVM)
		if !errors.Is(err, appliance.ErrSilent) {
			t.Errorf("got %v, want ErrSilent", err)
		}
		gone(t, task.Job)
	})
	t.Run("cancelled", func(t *testing.T) {
		task := newTask(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		var at time.Time
		_, err := a.Run(ctx, appliance.Run{}, task, func(appliance.Event) {
			at = time.Now()
			cancel(materialize.ErrCancelled)
		})
		if !errors.Is(err, materialize.ErrCancelled) {
			t.Errorf("got %v, want ErrCancelled", err)
		}
		if took := time.Since(at); took > 2*time.Second {
			t.Errorf("qemu was there for %v after the end of ctx", took)
		}
		gone(t, task.Job)
	})
	t.Run("parent killed", func(t *testing.T) { parentKilled(t, a) })
}

// parentKilled runs a virtual machine in a process that is killed then.
func parentKilled(t *testing.T, a *appliance.Appliance) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), "COSAFS_TEST_RUN_IN="+a.Dir, "COSAFS_TEST_SCRATCH="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil { // the guest is up
		t.Errorf("the child says nothing: %v", err)
	}
	if len(processes(t, killedJob)) == 0 {
		t.Error("the virtual machine has no process")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // it was killed
	gone(t, killedJob)
}

const killedJob = "to-be-killed"

// runToBeKilled runs a virtual machine, says when it's up and waits for the end.
func runToBeKilled(dir string) {
	a := &appliance.Appliance{Dir: dir}
	task := &materialize.Task{Job: killedJob, Scratch: os.Getenv("COSAFS_TEST_SCRATCH")}
	_, err := a.Run(context.Background(), appliance.Run{}, task, func(appliance.Event) {
		fmt.Println("up")
		select {}
	})
	fmt.Fprintln(os.Stderr, err)
}

// A guest that stands still as it boots is started once more.
func TestGuestIsStartedAgain(t *testing.T) {
	t.Setenv("COSA_NO_KVM", "1")
	a, bin := prepared(t, t.TempDir()), t.TempDir()
	qemu, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\n[ -e %[1]s/first ] && exec %[2]s \"$@\"\n>%[1]s/first; exec sleep 600\n", bin, qemu)
	if err := os.WriteFile(filepath.Join(bin, "qemu-system-x86_64"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	ups := 0
	_, err = a.Run(t.Context(), appliance.Run{Job: guest.Job{Install: &install.Job{}}, Boot: time.Second}, newTask(t), func(e appliance.Event) {
		if e.Up {
			ups++
		}
	})
	wantClass(t, err, materialize.ClassGuest)
	if ups != 1 {
		t.Errorf("the guest came up %d times, want once", ups)
	}
}

func TestMissingTools(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := appliance.Prepare(t.Context(), appliance.Config{Dir: t.TempDir()}, newTask(t))
	wantClass(t, err, materialize.ClassTool)
	_, err = (&appliance.Appliance{}).Run(t.Context(), appliance.Run{}, newTask(t), nil)
	wantClass(t, err, materialize.ClassTool)
}
