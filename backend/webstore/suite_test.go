package webstore_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"cosafs/backend"
	"cosafs/backend/backendtest"
	"cosafs/backend/webstore"
	"cosafs/test/certstest"
	"cosafs/test/need"
	"cosafs/test/s3server"
)

// The suite over a real web server, by http and https, as it is and with mishaps
// tried again.
func TestSuiteOverNginx(t *testing.T) {
	n := startNginx(t)
	plain := func(s backend.Store) backend.Store { return s }
	for _, c := range []struct {
		name, url string
		decorate  func(backend.Store) backend.Store
	}{
		{"http", n.http, plain},
		{"https", n.https, plain},
		{"retried", n.http, func(s backend.Store) backend.Store { return backend.Retry(s, backend.Policy{}) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			cases := 0
			backendtest.Run(t, backendtest.Harness{
				Properties: backend.Properties{Parallel: 16, Ranges: true},
				Setup: func(t *testing.T) (backend.Store, backendtest.Seeder) {
					t.Helper()
					cases++
					dir := fmt.Sprintf("%s %d", c.name, cases)
					s, err := webstore.Open(webstore.Config{URL: c.url + "/" + dir + "/", CAFile: n.ca})
					if err != nil {
						t.Fatal(err)
					}
					return c.decorate(s), n.seeder(dir)
				},
			})
		})
	}
}

// What nginx says of directories, lists, and files that it may not read.
func TestNginxRefusals(t *testing.T) {
	n := startNginx(t)
	n.seeder("builds")(t, "dir/file", []byte("x"))
	n.seeder("builds")(t, "closed/file", []byte("x"))
	s := open(t, webstore.Config{URL: n.http + "/builds"})
	for key, want := range map[backend.Key]error{
		"dir": fs.ErrNotExist, "dir/none": fs.ErrNotExist, "dir/file/none": fs.ErrNotExist, "closed/file": fs.ErrPermission, "closed/none": fs.ErrPermission,
	} {
		if _, err := s.Stat(t.Context(), key); !errors.Is(err, want) {
			t.Errorf("Stat of %s: %v; want %v", key, err, want)
		}
		if _, err := read(t, s, key, whole, ""); !errors.Is(err, want) {
			t.Errorf("Open of %s: %v; want %v", key, err, want)
		}
	}
}

// An nginx is a running server over a directory.
type nginx struct {
	http, https, ca string // URLs, and the authority of the second
	dir             string
	seeds           int64
}

const nginxConf = `daemon off; master_process off; error_log stderr crit; pid %[1]s/pid;
events { worker_connections 512; }
http {
	access_log off; default_type application/octet-stream; root %[1]s/root;
	client_body_temp_path %[1]s/t1; proxy_temp_path %[1]s/t2; fastcgi_temp_path %[1]s/t3; uwsgi_temp_path %[1]s/t4; scgi_temp_path %[1]s/t5;
	gzip on; gzip_types *; gzip_min_length 1; gzip_proxied any;
	server {
		listen %[2]s;
		location /builds/closed { deny all; }
	}
	server { listen %[3]s ssl; ssl_certificate %[4]s; ssl_certificate_key %[5]s; }
}
`

func startNginx(t *testing.T) *nginx {
	t.Helper()
	need.Tool(t, "nginx")
	dir, plain, secure, ca := t.TempDir(), s3server.FreeAddr(t), s3server.FreeAddr(t), certstest.NewCA(t, "ca")
	n := &nginx{http: "http://" + plain, https: "https://" + secure, ca: ca.File(t), dir: filepath.Join(dir, "root")}
	cert, key := ca.Issue(t, "nginx")
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, dir, plain, secure, cert, key), 0o600); err != nil {
		t.Fatal(err)
	}
	s3server.Run(t, secure, exec.Command("nginx", "-c", conf, "-p", dir, "-e", "stderr"))
	return n
}

// seeder writes files. nginx makes ETags of whole seconds and the size, so each
// writing gets a second of its own.
func (n *nginx) seeder(dir string) backendtest.Seeder {
	return func(t *testing.T, key backend.Key, data []byte) {
		t.Helper()
		path := filepath.Join(n.dir, dir, filepath.FromSlash(string(key)))
		n.seeds++
		when := time.Unix(1_700_000_000+n.seeds, 0)
		temp := filepath.Join(filepath.Dir(n.dir), fmt.Sprint("new", n.seeds))
		err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(temp, data, 0o600), os.Chtimes(temp, when, when))
		if err := errors.Join(err, os.Rename(temp, path)); err != nil {
			t.Fatal(err)
		}
	}
}
