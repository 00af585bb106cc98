package webui_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/vfs/webui"
)

// runtime gives a socket directory of the test's own, with a short path.
func runtime(t *testing.T) webui.Runtime {
	t.Helper()
	dir, err := os.MkdirTemp("", "s") //nolint:usetesting // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return webui.Runtime{Dirs: []string{filepath.Join(dir, "cosafs")}, UID: os.Getuid()}
}

func TestDialNobody(t *testing.T) {
	rt, workdir := runtime(t), t.TempDir()
	if _, _, err := rt.Dial(t.Context(), workdir); !errors.Is(err, webui.ErrNoDaemon) {
		t.Errorf("no socket: %v, want ErrNoDaemon", err)
	}
	deadSocket(t, rt, workdir)
	if _, _, err := rt.Dial(t.Context(), workdir); !errors.Is(err, webui.ErrNoDaemon) {
		t.Errorf("dead socket: %v, want ErrNoDaemon", err)
	}
}

func TestListenReplacesDeadSocket(t *testing.T) {
	rt, workdir := runtime(t), t.TempDir()
	path := deadSocket(t, rt, workdir)
	l, err := rt.Listen(t.Context(), workdir)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v, %v, want mode 0600", info, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("socket after Close: %v, want fs.ErrNotExist", err)
	}
}

// deadSocket leaves a socket as a killed daemon does.
func deadSocket(t *testing.T, rt webui.Runtime, workdir string) string {
	t.Helper()
	l, err := rt.Listen(t.Context(), workdir)
	if err != nil {
		t.Fatal(err)
	}
	path := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	ul, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ul.SetUnlinkOnClose(false)
	if err := ul.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestListenRefusesOpenDirectory(t *testing.T) {
	rt, workdir := runtime(t), t.TempDir()
	if err := os.Mkdir(rt.Dirs[0], 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := rt.Listen(t.Context(), workdir); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("directory others can enter: %v, want fs.ErrPermission", err)
	}
	if found := rt.Sockets(); found != nil {
		t.Errorf("sockets of a directory that is not ours: %v", found)
	}
}

func TestListenFallsBack(t *testing.T) {
	good := runtime(t)
	long := filepath.Join(t.TempDir(), strings.Repeat("d", 100))
	rt := webui.Runtime{Dirs: []string{long, "/nonexistent/cosafs", good.Dirs[0]}, UID: os.Getuid()}
	workdir := t.TempDir()
	l, err := rt.Listen(t.Context(), workdir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if dir := filepath.Dir(l.Addr().String()); dir != good.Dirs[0] {
		t.Errorf("listens in %s, want %s", dir, good.Dirs[0])
	}
	if len(rt.Sockets()) != 1 {
		t.Errorf("Sockets() = %v, want one", rt.Sockets())
	}
}

func TestForeignDirectoryIsRefused(t *testing.T) {
	rt, workdir := runtime(t), t.TempDir()
	deadSocket(t, rt, workdir)
	rt.UID++ // the directory is somebody else's now
	if _, err := rt.Listen(t.Context(), workdir); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Listen in another user's directory: %v, want fs.ErrPermission", err)
	}
	if _, _, err := rt.Dial(t.Context(), workdir); !errors.Is(err, webui.ErrNoDaemon) {
		t.Errorf("Dial in another user's directory: %v, want ErrNoDaemon", err)
	}
}

func TestRuntimeOf(t *testing.T) {
	same(t, "user", []string{"/x/cosafs", "/run/user/5/cosafs", "/tmp/cosafs-5"}, webui.RuntimeOf(5, "/x").Dirs)
	same(t, "root", []string{"/run/user/0/cosafs", "/run/cosafs", "/tmp/cosafs-0"}, webui.RuntimeOf(0, "relative").Dirs)
}
