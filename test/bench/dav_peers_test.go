package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/test/s3server"
)

// A davPeer is a program that serves a directory over WebDAV.
type davPeer struct {
	name    string
	command func(b *testing.B, s *site, addr, dir string) *exec.Cmd
}

func davPeers() []davPeer {
	return []davPeer{
		{"nginx", nginxDAV},
		{"Apache", apacheDAV},
		{"rclone 1.76", rcloneDAV},
		{cosaFS, cosafsDAV},
	}
}

// start starts it, and waits until it answers.
func (p davPeer) start(b *testing.B, s *site) *davClient {
	b.Helper()
	addr := s3server.FreeAddr(b)
	server := s3server.Run(b, addr, p.command(b, s, addr, b.TempDir()))
	m := newDAVClient(b, "http://"+addr)
	m.pid, m.stop = server.PID(), func() { m.close(); server.Stop(b) }
	return m
}

func cosafsDAV(b *testing.B, s *site, addr, dir string) *exec.Cmd {
	b.Helper()
	cmd := exec.Command(program(b), "-C", filepath.Dir(s.dir), "serve", "--addr", addr)
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+dir, "XDG_RUNTIME_DIR="+dir)
	return cmd
}

func rcloneDAV(b *testing.B, s *site, addr, _ string) *exec.Cmd {
	b.Helper()
	return exec.Command(s3server.Rclone(b), "serve", "webdav", "--config", os.DevNull, "--read-only", "--addr", addr, s.dir)
}

// nginxDAV is nginx with the dav-ext module.
func nginxDAV(b *testing.B, s *site, addr, dir string) *exec.Cmd {
	b.Helper()
	conf := writeConf(b, dir, fmt.Sprintf(`load_module /usr/lib/nginx/modules/ngx_http_dav_ext_module.so;
daemon off; user root; worker_processes 2; pid %[1]s/pid; error_log stderr;
events {}
http {
	access_log off; sendfile on; client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fcgi;
	uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi; default_type application/octet-stream; root %[2]s;
	server { listen %[3]s; dav_ext_methods PROPFIND OPTIONS; }
}
`, dir, s.dir, addr))
	return exec.Command("nginx", "-c", conf, "-e", "stderr")
}

// apacheDAV is Apache with mod_dav and its event workers.
func apacheDAV(b *testing.B, s *site, addr, dir string) *exec.Cmd {
	b.Helper()
	var text strings.Builder
	for _, m := range []string{"mpm_event", "authz_core", "dav", "dav_fs", "setenvif", "mime"} {
		fmt.Fprintf(&text, "LoadModule %[1]s_module /usr/lib/apache2/modules/mod_%[1]s.so\n", m)
	}
	fmt.Fprintf(&text, `Listen %[1]s
ServerName localhost
PidFile %[2]s/pid
ErrorLog /dev/null
TypesConfig /dev/null
DocumentRoot %[3]s
DAVLockDB %[2]s/locks
EnableSendfile On
<Directory />
	Require all granted
	Dav On
	<LimitExcept GET HEAD OPTIONS PROPFIND>
		Require all denied
	</LimitExcept>
</Directory>
`, addr, dir, s.dir)
	return exec.Command("apache2", "-DFOREGROUND", "-f", writeConf(b, dir, text.String()))
}

func writeConf(b *testing.B, dir, text string) string {
	b.Helper()
	conf := filepath.Join(dir, "server.conf")
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return conf
}
