package fusefs_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cosafs/test/need"
	"cosafs/vfs/fusefs"
	"cosafs/vfs/vfstest"
)

func wantState(t *testing.T, dir string, want fusefs.State) {
	t.Helper()
	if got, err := fusefs.Check(t.Context(), dir); err != nil || got != want {
		t.Errorf("Check = %v, %v, want %v", got, err, want)
	}
}

// TestDeadDaemon: a killed daemon leaves a mount that is seen, cleared, and can
// be mounted again.
func TestDeadDaemon(t *testing.T) {
	need.Tool(t, "fuse")
	dir := filepath.Join(t.TempDir(), "a mount\twith \\ odd name")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	wantState(t, dir, fusefs.NotMounted)
	r := vfstest.Start(t, vfstest.Default(t), dir)
	wantState(t, dir, fusefs.Alive)
	wantState(t, link, fusefs.Alive)
	kill(t, r)
	wantState(t, dir, fusefs.Dead)
	if err := fusefs.Unmount(t.Context(), link); err != nil {
		t.Fatal(err)
	}
	wantState(t, dir, fusefs.NotMounted)
	if err := fusefs.Unmount(t.Context(), dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Unmount of no mount: %v, want fs.ErrNotExist", err)
	}
	kill(t, vfstest.Start(t, vfstest.Default(t), dir))
	// Mount clears a dead mount by itself.
	again := vfstest.Start(t, vfstest.Default(t), dir)
	if _, err := os.ReadFile(filepath.Join(again.Dir, "builds.json")); err != nil {
		t.Error(err)
	}
}

// kill kills the daemon and waits until it is dead.
func kill(t *testing.T, r *vfstest.Remote) {
	t.Helper()
	if err := r.Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	vfstest.Eventually(t, "the daemon is dead", func() bool {
		state, err := fusefs.Check(t.Context(), r.Dir)
		return err == nil && state == fusefs.Dead
	})
}

func TestCheckForeign(t *testing.T) {
	wantState(t, "/proc", fusefs.Foreign)
	if err := fusefs.Unmount(t.Context(), "/proc"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("Unmount of a foreign mount: %v, want fs.ErrInvalid", err)
	}
	if _, err := fusefs.Check(t.Context(), filepath.Join(t.TempDir(), "a", "b")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Check below a missing directory: %v, want fs.ErrNotExist", err)
	}
}

// TestCheckOfStoppedDaemon: a daemon that doesn't answer lives; its mount can be
// taken away all the same.
func TestCheckOfStoppedDaemon(t *testing.T) {
	r := start(t, vfstest.Default(t))
	if err := r.Cmd.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	wantState(t, r.Dir, fusefs.Alive)
	if err := fusefs.Unmount(t.Context(), r.Dir); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("Check and Unmount took %v", took)
	}
	wantState(t, r.Dir, fusefs.NotMounted)
	if err := r.Cmd.Process.Signal(unix.SIGCONT); err != nil {
		t.Error(err)
	}
}

// TestUnmountBusy: a mount in use goes; who has a file open is not in the way.
func TestUnmountBusy(t *testing.T) {
	f := vfstest.Default(t)
	r := start(t, f)
	file, err := os.Open(filepath.Join(r.Dir, "43.1/x86_64/os-43.1-gcp.x86_64.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := fusefs.Unmount(ctx, r.Dir); err != nil {
		t.Fatal(err)
	}
	wantState(t, r.Dir, fusefs.NotMounted)
	var b [10]byte
	if _, err := file.ReadAt(b[:], 200000); err != nil {
		t.Errorf("read from a file that was open: %v", err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
}

// TestServerUnmountEndsWaitingOpens: an orderly end with opens that wait and
// files in use takes seconds, not for ever.
func TestServerUnmountEndsWaitingOpens(t *testing.T) {
	r := start(t, vfstest.Default(t))
	file, err := os.Open(filepath.Join(r.Dir, qemuPath))
	if err != nil {
		t.Fatal(err)
	}
	opened := make(chan error, 1)
	go func() {
		_, err := os.ReadFile(filepath.Join(r.Dir, slowPath))
		opened <- err
	}()
	waiting(t, r, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.Close()
	}()
	if err := <-opened; !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.ECONNABORTED) {
		t.Errorf("the waiting open ends with %v, want ENODEV", err)
	}
	vfstest.Eventually(t, "the daemon ended", func() bool {
		select {
		case <-ended:
			return true
		default:
			return false
		}
	})
	wantState(t, r.Dir, fusefs.NotMounted)
	_ = file.Close() // its mount is gone
}
