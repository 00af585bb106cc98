package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"cosafs/test/certstest"
	"cosafs/test/need"
	"cosafs/test/s3server"
)

// A web is nginx over a directory, by http and by https.
type web struct{ http, https, ca string } // URLs, and the file of the certificate

// startWeb starts one, which ends with the test.
func startWeb(tb testing.TB, root string) web {
	tb.Helper()
	need.Tool(tb, "nginx")
	dir := tb.TempDir()
	plain, secure := s3server.FreeAddr(tb), s3server.FreeAddr(tb)
	ca := certstest.NewCA(tb, "ca")
	w := web{"http://" + plain, "https://" + secure, ca.File(tb)}
	cert, key := ca.Issue(tb, "nginx")
	conf := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf(`daemon off; master_process off; user root; pid %[1]s/pid; error_log stderr;
events {}
http {
	access_log off; client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fcgi;
	uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi; default_type application/octet-stream; root %[2]s;
	server { listen %[3]s; }
	server { listen %[4]s ssl; ssl_certificate %[5]s; ssl_certificate_key %[6]s; }
}
`, dir, root, plain, secure, cert, key)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	s3server.Run(tb, secure, exec.Command("nginx", "-c", conf, "-e", "stderr"))
	return w
}
