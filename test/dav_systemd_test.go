package test

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A manager hears what a service tells its manager, as systemd(1) does.
type manager struct {
	*net.UnixConn
	path string
}

func newManager(tb testing.TB) *manager {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() }) // all was heard
	return &manager{conn, path}
}

// hear gives the next that is told.
func (m *manager) hear(tb testing.TB) string {
	tb.Helper()
	if err := m.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		tb.Fatal(err)
	}
	text := make([]byte, 4096)
	n, err := m.Read(text)
	if err != nil {
		tb.Fatalf("the manager hears nothing: %v", err)
	}
	return string(text[:n])
}

// sockets opens a TCP and a unix socket as systemd(1) does, to be passed on.
func sockets(tb testing.TB) (files []*os.File, addr, path string) {
	tb.Helper()
	path = filepath.Join(tb.TempDir(), "s")
	for _, place := range [][2]string{{"tcp", "127.0.0.1:0"}, {"unix", path}} {
		l, err := net.Listen(place[0], place[1])
		if err != nil {
			tb.Fatal(err)
		}
		f, err := l.(interface{ File() (*os.File, error) }).File() //nolint:errcheck // both have it
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _, _ = f.Close(), l.Close() }) // the service has its own
		files = append(files, f)
		if place[0] == "tcp" {
			addr = l.Addr().String()
		}
	}
	return files, addr, path
}

// Started with sockets, as a systemd unit does, the program serves these, tells the
// manager when it answers and when it ends, and leaves the sockets to the manager.
func TestDAVSystemdService(t *testing.T) {
	e := newServed(t)
	files, addr, path := sockets(t)
	m := newManager(t)
	// Only the shell knows the process's number before it is the process.
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, shared.cosafs, "--workdir", e.work, "serve")
	cmd.Env, cmd.Dir, cmd.ExtraFiles = append(e.environ, "LISTEN_FDS=2", "NOTIFY_SOCKET="+m.path), e.dir, files
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	d := &daemon{Cmd: cmd, gone: make(chan struct{})}
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { d.err = d.Wait(); close(d.gone) }()
	t.Cleanup(func() { _ = d.Process.Kill(); <-d.gone }) // where the test failed
	if said, want := m.hear(t), "READY=1\nSTATUS=Serving http://"+addr+" unix:"+path; said != want {
		t.Fatalf("the manager was told %q, want %q", said, want)
	}
	for _, dial := range [][2]string{{"tcp", addr}, {"unix", path}} {
		if text := getAt(t, dial[0], dial[1]); !strings.Contains(text, e.builds()[0]) {
			t.Errorf("at %s: %s", dial[1], text)
		}
	}
	if status := e.cosafs("status"); !strings.Contains(status, "Serving: unix:"+path+"\n") || !strings.Contains(status, "Serving: http://"+addr+"/\n") {
		t.Errorf("status says %s", status)
	}
	if err := d.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if said := m.hear(t); !strings.HasPrefix(said, "STOPPING=1\n") {
		t.Errorf("at its end the manager was told %q", said)
	}
	if <-d.gone; d.err != nil {
		t.Errorf("it ended with %v: %s", d.err, out.String())
	}
	if problem := absent(path); problem != "" {
		t.Errorf("the manager's socket is gone: %s", problem)
	}
}

// getAt gets builds.json at a socket.
func getAt(tb testing.TB, network, addr string) string {
	tb.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, "http://localhost/builds.json", nil)
	if err != nil {
		tb.Fatal(err)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		tb.Fatal(err)
	}
	var text bytes.Buffer
	_, err = text.ReadFrom(resp.Body)
	if _ = resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
		tb.Errorf("%s: %s, %v", addr, resp.Status, err)
	}
	return text.String()
}

// systemd's own tool starts the program at the first connection, which is answered.
func TestDAVSocketActivation(t *testing.T) {
	e := newServed(t, "systemd-socket-activate")
	path := filepath.Join(t.TempDir(), "s")
	var out bytes.Buffer
	cmd := e.command("systemd-socket-activate", "--listen="+path, "-E", "XDG_RUNTIME_DIR", shared.cosafs, "--workdir", e.work, "serve")
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- cmd.Wait() }()
	e.eventually("the socket is there", 10*time.Second, func() bool { return absent(path) == "" })
	if text := getAt(t, "unix", path); !strings.Contains(text, e.builds()[0]) {
		t.Errorf("it says %s", text)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil || !strings.Contains(out.String(), "Serving unix:"+path+"\n") {
		t.Errorf("it ended with %v: %s", err, out.String())
	}
}

// systemd takes the unit files that come with the program, and the program takes their
// command line.
func TestDAVUnits(t *testing.T) {
	e := newServed(t, "systemd-analyze", "openssl", "htpasswd")
	e.authority()
	cert, key := e.issue("server")
	e.htpasswd("alice", "secret of alice")
	ci := login{bearer: e.token("ci")}
	here := strings.NewReplacer("/usr/local/bin/cosafs", shared.cosafs, "/srv/cosa", e.work,
		"/etc/cosafs/cert.pem", cert, "/etc/cosafs/key.pem", key, "/etc/cosafs", e.dir)
	var service string
	paths := []string{"verify", "--man=no"}
	for _, name := range []string{"cosafs.socket", "cosafs.service"} {
		text, err := os.ReadFile(filepath.Join("..", "doc", "systemd", name))
		if err != nil {
			t.Fatal(err)
		}
		service = here.Replace(string(text))
		paths = append(paths, e.write(name, service))
	}
	if _, complaints, err := e.try("systemd-analyze", paths...); err != nil || complaints != "" {
		t.Errorf("systemd-analyze: %v: %s", err, complaints)
	}
	_, rest, _ := strings.Cut(strings.ReplaceAll(service, "\\\n", ""), " serve --addr systemd")
	options, _, found := strings.Cut(rest, "\n")
	if !found {
		t.Fatalf("the service does not serve at systemd's sockets: %s", service)
	}
	if n := e.visitor(e.door(strings.Fields(options)...), ci).get("builds.json"); n != http.StatusOK {
		t.Errorf("with the options %s a token gets %d", options, n)
	}
}
