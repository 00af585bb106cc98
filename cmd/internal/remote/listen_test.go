package remote_test

import (
	"context"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/cmd/internal/remote"
)

// otherAddr is an address of this machine that others reach.
func otherAddr(t *testing.T) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	t.Skip("this machine has no address but loopback")
	return ""
}

// Nobody serves the world by mistake.
func TestPublicAddressNeedsLogin(t *testing.T) {
	other := net.JoinHostPort(otherAddr(t), "0")
	open, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*world){
		"all":        func(w *world) { w.cfg.Addr = "0.0.0.0:0" },
		"all IPv6":   func(w *world) { w.cfg.Addr = "[::]:0" },
		"no host":    func(w *world) { w.cfg.Addr = ":0" },
		"one":        func(w *world) { w.cfg.Addr = other },
		"nobody yet": func(w *world) { w.cfg.Addr, w.cfg.Htpasswd = ":0", w.write("none", "# nobody\n") },
		"passed":     func(w *world) { w.cfg.Listeners = []net.Listener{open} },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			change(w)
			_, err := w.listen()
			w.hinted(err, fs.ErrPermission, "--htpasswd", "--tokens", "--client-ca", "--let-everybody")
		})
	}
}

func TestPublicAddressWithLogin(t *testing.T) {
	for name, change := range map[string]func(*world){
		"users":     func(w *world) { w.cfg.Htpasswd = w.users("ann") },
		"everybody": func(w *world) { w.cfg.Everybody = "reader" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.cfg.Addr = ":0"
			change(w)
			w.start()
			if host, _, _ := strings.Cut(w.addr(), ":"); host != "localhost" {
				t.Errorf("URLs = %v", w.server.URLs())
			}
			w.get("/healthz", http.StatusOK)
		})
	}
}

// What is wrong is said before anything is opened.
func TestListenRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*world)
		want   error
		hint   string
	}{
		"no port":       {func(w *world) { w.cfg.Addr = "localhost" }, fs.ErrInvalid, "HOST:PORT"},
		"no such port":  {func(w *world) { w.cfg.Addr = "localhost:99999" }, fs.ErrInvalid, "HOST:PORT"},
		"empty":         {func(w *world) { w.cfg.Addr = "" }, fs.ErrInvalid, "HOST:PORT"},
		"relative":      {func(w *world) { w.cfg.Addr = "unix:x.sock" }, fs.ErrInvalid, "unix:/PATH"},
		"no systemd":    {func(w *world) { w.cfg.Addr = "systemd" }, fs.ErrNotExist, "ListenStream"},
		"role":          {func(w *world) { w.cfg.Everybody = "king" }, fs.ErrInvalid, "--let-everybody"},
		"admins":        {func(w *world) { w.cfg.Everybody = "admin" }, fs.ErrInvalid, "--let-everybody"},
		"grant":         {func(w *world) { w.cfg.Grants = []string{"ann=king"} }, fs.ErrInvalid, ""},
		"no users":      {func(w *world) { w.cfg.Htpasswd = "/nonexistent/users" }, fs.ErrNotExist, ""},
		"key alone":     {func(w *world) { w.cfg.Key = "/nonexistent/key" }, fs.ErrInvalid, "--tls-cert"},
		"CA alone":      {func(w *world) { w.cfg.ClientCA = "/nonexistent/ca" }, fs.ErrInvalid, "--tls-cert"},
		"no cert":       {func(w *world) { w.cfg.Cert, w.cfg.Key = "/nonexistent/c", "/nonexistent/k" }, fs.ErrNotExist, ""},
		"uploads":       {func(w *world) { w.cfg.UploadDir = "/nonexistent/up" }, fs.ErrNotExist, "--upload-dir"},
		"upload file":   {func(w *world) { w.cfg.UploadDir = w.write("f", "") }, fs.ErrInvalid, "--upload-dir"},
		"upload nearby": {func(w *world) { w.cfg.UploadDir = "up" }, fs.ErrInvalid, "--upload-dir"},
		"not a socket":  {func(w *world) { w.cfg.Addr = "unix:" + w.write("f", "keep") }, fs.ErrExist, "--addr"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			test.change(w)
			_, err := w.listen()
			w.hinted(err, test.want, test.hint)
		})
	}
}

func TestAddressInUse(t *testing.T) {
	first := newWorld(t).start()
	second := newWorld(t)
	second.cfg.Addr = first.addr()
	_, err := second.listen()
	second.hinted(err, fs.ErrExist, "--addr")
	first.get("/", http.StatusOK)
}

// Listeners that were passed are closed when they can't be used.
func TestPassedListenersAreClosed(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.cfg.Listeners, w.cfg.Everybody = []net.Listener{l}, "king"
	if _, err := remote.Listen(t.Context(), w.cfg); err == nil {
		t.Fatal("Listen succeeded")
	}
	if _, err := l.Accept(); err == nil {
		t.Error("the listener is still open")
	}
}

// A file that is not a socket is not ours to remove.
func TestUnixSocketKeepsFiles(t *testing.T) {
	w := newWorld(t)
	path := w.write("file", "keep")
	w.cfg.Addr = "unix:" + path
	if _, err := w.listen(); err == nil {
		t.Fatal("Listen succeeded")
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "keep" {
		t.Errorf("the file holds %q, %v", text, err)
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	leaveDead(t, path)
	w := newWorld(t)
	w.cfg.Addr = "unix:" + path
	w.start()
	if got := w.server.URLs(); len(got) != 1 || got[0] != "unix:"+path {
		t.Errorf("URLs = %v", got)
	}
	wantMode(t, path, 0o600)
	if body := getUnix(t, path, "evil.example"); body != "files" {
		t.Errorf("got %q; no browser comes this way, so any Host will do", body)
	}
	second := newWorld(t)
	second.cfg.Addr = w.cfg.Addr
	_, err := second.listen()
	second.hinted(err, fs.ErrExist, "--addr")
	if body := getUnix(t, path, "x"); body != "files" {
		t.Errorf("after another tried: %q", body)
	}
	w.stop()
	<-w.ended
	if _, err := os.Lstat(path); err == nil {
		t.Error("the socket was left behind")
	}
}

// Where people have to log in, all of this machine's may.
func TestUnixSocketWithLogins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	w := newWorld(t)
	w.cfg.Addr, w.cfg.Htpasswd = "unix:"+path, w.users("ann")
	w.start()
	wantMode(t, path, 0o666)
}

func wantMode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != want {
		t.Errorf("%s: %v, %v; want mode %o", path, info, err, want)
	}
}

// leaveDead leaves a socket as a killed process does.
func leaveDead(t *testing.T, path string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func getUnix(t *testing.T, path, host string) string {
	t.Helper()
	var d net.Dialer
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", path) }}
	defer tr.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+"/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := tr.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// What is uploaded must never be taken for a build.
func TestUploadsStayApart(t *testing.T) {
	top := t.TempDir()
	work := filepath.Join(top, "work")
	for _, dir := range []string{"work/builds/1", "work/cache", "work/tmp", "work/uploads", "else"} {
		if err := os.MkdirAll(filepath.Join(top, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(work, "builds", "1"), filepath.Join(top, "link")); err != nil {
		t.Fatal(err)
	}
	for dir, ok := range map[string]bool{
		"else": true, "work/uploads": true,
		"work": false, ".": false, "work/builds": false, "work/builds/1": false, "work/cache": false, "work/tmp": false, "link": false,
	} {
		t.Run(dir, func(t *testing.T) {
			w := newWorld(t)
			w.cfg.Service = &service{}
			if s, is := w.cfg.Service.(*service); is {
				s.status.Workdir = work
			}
			w.cfg.UploadDir = filepath.Join(top, dir)
			if ok {
				w.start()
				return
			}
			_, err := w.listen()
			w.hinted(err, fs.ErrInvalid, "--upload-dir")
			if err != nil && strings.Count(err.Error(), " lies in ") != 1 {
				t.Errorf("%v: want the reason once", err)
			}
		})
	}
}
