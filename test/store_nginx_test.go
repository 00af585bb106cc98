package test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

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
	w := web{"http://" + plain, "https://" + secure, filepath.Join(dir, "cert.pem")}
	key := filepath.Join(dir, "key.pem")
	writeCertificate(tb, w.ca, key)
	conf := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf(`daemon off; master_process off; user root; pid %[1]s/pid; error_log stderr;
events {}
http {
	access_log off; client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fcgi;
	uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi; default_type application/octet-stream; root %[2]s;
	server { listen %[3]s; }
	server { listen %[4]s ssl; ssl_certificate %[5]s; ssl_certificate_key %[6]s; }
}
`, dir, root, plain, secure, w.ca, key)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	s3server.Run(tb, secure, exec.Command("nginx", "-c", conf, "-e", "stderr"))
	return w
}

// writeCertificate writes a certificate for 127.0.0.1, signed by itself.
func writeCertificate(tb testing.TB, cert, key string) {
	tb.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		tb.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		tb.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: signed}, key: {Type: "PRIVATE KEY", Bytes: encoded}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
}
