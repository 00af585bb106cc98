package daemon_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"cosafs/cmd/internal/daemon"
	"cosafs/materialize"
)

// modeEnv tells the test program to act as a daemon of a kind.
const modeEnv = "COSAFS_TEST_DAEMON"

func TestMain(m *testing.M) {
	if mode := os.Getenv(modeEnv); mode != "" {
		os.Exit(actAsDaemon(mode))
	}
	os.Exit(m.Run())
}

func actAsDaemon(mode string) int {
	n := daemon.NewNotifier(os.Getenv)
	switch mode {
	case "ready":
		fmt.Fprintf(os.Stderr, "session leader: %v\n", os.Getpid() == sessionID())
		n.Ready()
	case "fails":
		n.Failed(materialize.Fail(materialize.ClassTool, "mount", "apt install fuse3", fs.ErrNotExist))
		return 1
	case "dies":
		fmt.Fprintln(os.Stderr, "panic: everything")
		return 3
	case "hangs":
		select {} // until the signal
	}
	return 0
}

func sessionID() int {
	sid, _, _ := syscall.Syscall(syscall.SYS_GETSID, 0, 0, 0)
	return int(sid)
}

// start starts the test program as a daemon and gives its log and the error.
func start(t *testing.T, ctx context.Context, mode string) (string, error) { //nolint:revive // t comes first in helpers
	t.Helper()
	path := filepath.Join(t.TempDir(), "sub", "daemon.log")
	log, err := daemon.OpenLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), modeEnv+"="+mode)
	err = daemon.Start(ctx, cmd, log)
	text, readErr := os.ReadFile(path)
	if readErr != nil {
		t.Fatal(readErr)
	}
	return string(text), err
}

func TestStartReady(t *testing.T) {
	text, err := start(t, t.Context(), "ready")
	if err != nil || !strings.Contains(text, "session leader: true") {
		t.Errorf("err %v, log %q", err, text)
	}
}

func TestStartGivesTheDaemonsError(t *testing.T) {
	_, err := start(t, t.Context(), "fails")
	class, hint := materialize.ClassOf(err)
	if !errors.Is(err, fs.ErrNotExist) || class != materialize.ClassTool || hint != "apt install fuse3" {
		t.Errorf("err %v, class %q, hint %q", err, class, hint)
	}
}

func TestStartShowsTheLogOfASilentDeath(t *testing.T) {
	_, err := start(t, t.Context(), "dies")
	if err == nil || !strings.Contains(err.Error(), "panic: everything") {
		t.Errorf("err %v, want the log's end", err)
	}
}

func TestStartGivesUpWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error, 1)
	go func() {
		_, err := start(t, ctx, "hangs")
		got <- err
	}()
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Errorf("err %v, want context.Canceled", err)
	}
}

func TestNotifierWithoutParent(t *testing.T) {
	n := daemon.NewNotifier(func(string) string { return "" })
	n.Ready() // nobody listens, nothing happens
	if n.Detached() {
		t.Error("Detached without a parent")
	}
}
