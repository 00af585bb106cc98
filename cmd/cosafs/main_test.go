package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"cosafs/test/need"
	"cosafs/vfs/fusefs"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"cosafs": main})
}

// TestScripts runs every scenario of testdata/script with the real program.
// With -update a cmp that fails rewrites its golden file.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("COSAFS_TEST_UPDATE") != "",
		Setup:               setup,
		Condition:           condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code":    wantCode,
			"killpid": killPID,
			"await":   await,
			"serving": serving,
		},
	})
}

// setup gives each scenario places of its own, and takes away what it mounted.
func setup(env *testscript.Env) error {
	run, err := os.MkdirTemp("", "r") // a short path: sockets go below it
	if err != nil {
		return err
	}
	env.Setenv("XDG_RUNTIME_DIR", run)
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("COSA_NO_KVM", "1")
	bin, _, _ := strings.Cut(env.Getenv("PATH"), ":")
	env.Setenv("BIN", bin) // holds cosafs and nothing else
	env.Defer(func() {
		unmountBelow(env.WorkDir)
		_ = os.RemoveAll(run)
	})
	return nil
}

// unmountBelow takes away the mounts that a failed scenario left.
func unmountBelow(dir string) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[1], dir+"/") {
			_ = fusefs.Unmount(context.Background(), f[1]) // the test has failed already
		}
	}
}

// condition knows fuse: whether file systems can be mounted here, and curl: whether
// that program is there. A condition that COSAFS_TEST_REQUIRE lists must hold.
func condition(cond string) (bool, error) {
	var err error
	switch cond {
	case "fuse":
		err = canOpen("/dev/fuse")
	case "curl":
		_, err = exec.LookPath(cond)
	default:
		return false, fmt.Errorf("unknown condition %q", cond)
	}
	if err != nil && need.Required(cond) {
		return false, fmt.Errorf("%s is required: %w", cond, err)
	}
	return err == nil, nil
}

// wantCode is "code N PROGRAM ARGS": the program must end with that exit code.
func wantCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N PROGRAM [ARGS]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// killPID is "killpid FILE": SIGKILL for the process whose number is in FILE.
func killPID(ts *testscript.TestScript, _ bool, args []string) {
	pid, err := strconv.Atoi(strings.TrimSpace(ts.ReadFile(args[0])))
	ts.Check(err)
	p, err := os.FindProcess(pid)
	ts.Check(err)
	ts.Check(p.Kill())
}

// await is "await FILE": go on when it exists, fail after ten seconds.
func await(ts *testscript.TestScript, _ bool, args []string) {
	within(ts, args[0]+" exists", func() bool {
		_, err := os.Stat(ts.MkAbs(args[0]))
		return err == nil
	})
}

// serving is "serving FILE NAME": go on when FILE, to which a cosafs serve prints,
// has the URL of a door; then $NAME is that URL without its final slash.
func serving(ts *testscript.TestScript, _ bool, args []string) {
	within(ts, args[0]+" has a URL", func() bool {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		_, rest, _ := strings.Cut(string(text), "Serving ")
		url, _, whole := strings.Cut(rest, "\n")
		if err != nil || !whole {
			return false
		}
		ts.Setenv(args[1], strings.TrimSuffix(url, "/"))
		return true
	})
}

// within goes on when ok says so, and fails after ten seconds.
func within(ts *testscript.TestScript, what string, ok func() bool) {
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			ts.Fatalf("not within ten seconds: %s", what)
		}
	}
}

func TestInterruptedIs130(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	for _, sub := range []string{"builds", "src/config"} {
		if err := os.MkdirAll(dir+"/"+sub, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{"XDG_RUNTIME_DIR=" + dir, "HOME=" + dir}
	if code := run(ctx, []string{"cosafs", "-C", dir, "build"}, nil, io.Discard, io.Discard, env); code != exitInterrupted {
		t.Errorf("exit code %d, want %d", code, exitInterrupted)
	}
}

func TestRedraw(t *testing.T) {
	const one, two = "Workdir: w\nJob:     1 running 5%\n", "Workdir: w\nJob:     1 running 9%\n"
	tests := []struct {
		name, shown, text, want string
		tty                     bool
	}{
		{"first", "", one, one, true},
		{"in place", one, two, "\x1b[2A\x1b[J" + two, true},
		{"first line by line", "", one, one, false},
		{"news only", one, two, "Job:     1 running 9%\n", false},
		{"no news", one, one, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := redraw(tt.shown, tt.text, tt.tty); got != tt.want {
				t.Errorf("redraw = %q, want %q", got, tt.want)
			}
		})
	}
}

// Output that could not be written is a failure, not a success.
func TestFullDiskIsAFailure(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer func() { _ = full.Close() }()
	var stderr strings.Builder
	code := run(t.Context(), []string{"cosafs", "version"}, nil, full, &stderr, []string{"HOME=" + t.TempDir()})
	if code != exitFailure || !strings.Contains(stderr.String(), "\nhint: ") {
		t.Errorf("exit code %d, stderr %q", code, stderr.String())
	}
}
