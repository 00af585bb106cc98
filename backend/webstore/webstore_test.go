package webstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"cosafs/backend"
	"cosafs/backend/backendtest"
	"cosafs/backend/webstore"
	"cosafs/test/need"
)

// The suite over a real web server, as it is and with what fails tried again.
func TestSuiteOverNginx(t *testing.T) {
	for name, decorate := range map[string]func(backend.Store) backend.Store{
		"plain":   func(s backend.Store) backend.Store { return s },
		"retried": func(s backend.Store) backend.Store { return backend.Retry(s, backend.Policy{}) },
	} {
		t.Run(name, func(t *testing.T) {
			n := startNginx(t)
			cases := 0
			backendtest.Run(t, backendtest.Harness{
				Properties: backend.Properties{Parallel: 16, Ranges: true},
				Cuts:       true, // nginx's ETag is date and size: a file that is replaced has others
				Setup: func(t *testing.T) (backend.Store, backendtest.Seeder) {
					t.Helper()
					cases++
					dir := fmt.Sprint("case", cases)
					s, err := webstore.Open(webstore.Config{URL: n.url + "/" + dir + "/"})
					if err != nil {
						t.Fatal(err)
					}
					return decorate(s), n.seeder(dir)
				},
			})
		})
	}
}

// A server is a running nginx.
type server struct {
	url, dir string
	seeds    int
}

const nginxConf = `daemon off; master_process off; error_log stderr; pid %[1]s/pid;
events { worker_connections 512; }
http {
	access_log off; default_type application/octet-stream;
	client_body_temp_path %[1]s/t1; proxy_temp_path %[1]s/t2; fastcgi_temp_path %[1]s/t3; uwsgi_temp_path %[1]s/t4; scgi_temp_path %[1]s/t5;
	server { listen %[2]s; root %[1]s/root; }
}
`

func startNginx(t *testing.T) *server {
	t.Helper()
	need.Tool(t, "nginx")
	dir, addr := t.TempDir(), freeAddr(t)
	if err := os.Mkdir(filepath.Join(dir, "root"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { // root's nginx reads as somebody else
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, dir, addr), 0o644); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command("nginx", "-c", conf, "-p", dir)
	cmd.Stderr = &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // the log says if it ended before
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("nginx: %s", log.String())
		}
	})
	await(t, addr)
	return &server{url: "http://" + addr, dir: filepath.Join(dir, "root")}
}

// seeder writes files. nginx's ETag is made of whole seconds and the size, so
// each writing gets a second of its own.
func (s *server) seeder(dir string) backendtest.Seeder {
	return func(t *testing.T, key backend.Key, data []byte) {
		t.Helper()
		path := filepath.Join(s.dir, dir, filepath.FromSlash(string(key)))
		s.seeds++
		when := time.Unix(1_700_000_000+int64(s.seeds), 0)
		temp := filepath.Join(s.dir, "..", fmt.Sprint("new", s.seeds))
		err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(temp, data, 0o644), os.Chtimes(temp, when, when))
		if err := errors.Join(err, os.Rename(temp, path)); err != nil {
			t.Fatal(err)
		}
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // nobody connected
	return l.Addr().String()
}

func await(t *testing.T, addr string) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
			return
		}
		select {
		case <-deadline:
			t.Fatal(err)
		case <-tick.C:
		}
	}
}
