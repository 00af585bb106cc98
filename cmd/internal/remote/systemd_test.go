package remote_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/cmd/internal/remote"
)

// childEnv has the test binary be a server for sockets that it was started with.
const childEnv = "COSAFS_TEST_SYSTEMD_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		os.Exit(m.Run())
	}
	if err := child(); err != nil {
		_, _ = fmt.Println("failed:", err) // who started this reads it
		os.Exit(1)
	}
}

// child serves until its standard input ends.
func child() error {
	cfg := remote.Config{Service: &service{}}
	cfg.Addr = "systemd"
	s, err := remote.ListenWith(context.Background(), cfg, remote.Doors{Files: says("from a child"), Root: root{}, Waiting: func() int { return 0 }})
	if err != nil {
		return err
	}
	if err := remote.NotifyReady(s.URLs()); err != nil {
		return err
	}
	fmt.Println(strings.Join(s.URLs(), " "))
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // until it ends, however
		cancel()
	}()
	err = s.Serve(ctx)
	cancel()
	return err
}

// systemd(1) opens the sockets, and a process of ours answers at both.
func TestSystemdSockets(t *testing.T) {
	var lc net.ListenConfig
	tcp, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "s")
	local, err := lc.Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	manager, sock := listenManager(t)
	// Only the shell knows the process's id before it is the process.
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `LISTEN_PID=$$ exec "$0"`, os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"=1", "LISTEN_FDS=2", "NOTIFY_SOCKET="+sock)
	cmd.ExtraFiles = []*os.File{fileOf(t, tcp), fileOf(t, local)}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	from := bufio.NewReader(out)
	line, err := from.ReadString('\n')
	if want := "http://" + tcp.Addr().String() + " unix:" + path + "\n"; err != nil || line != want {
		t.Fatalf("the child said %q, %v, want %q", line, err, want)
	}
	if said := hear(t, manager); !strings.HasPrefix(said, "READY=1\nSTATUS=Serving http://127.") {
		t.Errorf("the manager was told %q", said)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+tcp.Addr().String()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	if _, body := w.do(r); body != "from a child" {
		t.Errorf("over TCP: %q", body)
	}
	if body := getUnix(t, path, "x"); body != "from a child" {
		t.Errorf("over the socket: %q", body)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(from)
	if err != nil || len(rest) > 0 {
		t.Errorf("the child went on to say %q, %v", rest, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the child removed systemd's socket: %v", err)
	}
}

func fileOf(t *testing.T, l net.Listener) *os.File {
	t.Helper()
	named, ok := l.(interface{ File() (*os.File, error) })
	if !ok {
		t.Fatalf("%T has no file", l)
	}
	f, err := named.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = f.Close() // the child has its own
		_ = l.Close() // as above
	})
	return f
}

// listenManager listens as a service manager does.
func listenManager(t *testing.T) (*net.UnixConn, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn, path
}

func hear(t *testing.T, from *net.UnixConn) string {
	t.Helper()
	buf := make([]byte, 4096)
	n, err := from.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func TestNotify(t *testing.T) {
	manager, sock := listenManager(t)
	t.Setenv("NOTIFY_SOCKET", sock)
	for want, say := range map[string]func() error{
		"READY=1\nSTATUS=Serving http://a http://b STOPPING=1": func() error { return remote.NotifyReady([]string{"http://a", "http://b\nSTOPPING=1"}) },
		"STOPPING=1\nSTATUS=Ending":                            remote.NotifyStopping,
	} {
		if err := say(); err != nil {
			t.Fatal(err)
		}
		if got := hear(t, manager); got != want {
			t.Errorf("told %q, want %q", got, want)
		}
	}
	t.Setenv("NOTIFY_SOCKET", sock+".none")
	if err := remote.NotifyReady(nil); err == nil {
		t.Error("nobody heard it, and that is fine?")
	}
	t.Setenv("NOTIFY_SOCKET", "")
	if err := remote.NotifyReady(nil); err != nil {
		t.Errorf("without a manager: %v", err)
	}
}
