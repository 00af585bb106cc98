package auth_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/cmd/internal/auth"
	"cosafs/cmd/internal/certs"
	"cosafs/test/certstest"
	"cosafs/test/logbuf"
	"cosafs/test/need"
)

// A tlsDoor is a guard behind TLS with the certificates of one authority.
type tlsDoor struct {
	url, caFile string
	ca          *certstest.CA
	log         *logbuf.Buffer
}

func serveTLS(t *testing.T, cfg auth.Config) *tlsDoor {
	t.Helper()
	ca := certstest.NewCA(t, "test authority")
	d := &tlsDoor{ca: ca, caFile: ca.File(t)}
	cert, key := ca.Issue(t, "server")
	pair, err := certs.Open(cert, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	f := open(t, cfg)
	d.log = f.log
	srv := httptest.NewUnstartedServer(f.handler)
	if srv.TLS, err = pair.Config(d.caFile); err != nil {
		t.Fatal(err)
	}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	d.url = srv.URL
	return d
}

// curl gives the answer's text and its status.
func (d *tlsDoor) curl(t *testing.T, args ...string) string {
	t.Helper()
	need.Tool(t, "curl")
	args = append([]string{"-sS", "--cacert", d.caFile, "-w", " %{http_code}"}, append(args, d.url)...)
	cmd := exec.CommandContext(t.Context(), "curl", args...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("curl: %v\n%s", err, out)
	}
	return string(out)
}

func TestCurl(t *testing.T) {
	passwords := filepath.Join(t.TempDir(), "htpasswd")
	htpasswd(t, "-cbB", passwords, "alice", "pass word")
	token, entry, err := auth.NewToken("ci")
	if err != nil {
		t.Fatal(err)
	}
	d := serveTLS(t, auth.Config{Htpasswd: passwords, Tokens: file(t, entry), ClientCerts: true, Grants: []string{"ci=builder", "carol=admin"}})
	aliceCert, aliceKey := d.ca.Issue(t, "alice")
	carolCert, carolKey := d.ca.Issue(t, "carol")
	namelessCert, namelessKey := d.ca.Issue(t, "")
	for _, c := range []struct {
		what string
		args []string
		want string // begins and ends so
	}{
		{"nothing", nil, "Log in.\n 401"},
		{"password", []string{"-u", "alice:pass word"}, "alice reader 127.0.0.1 200"},
		{"wrong password", []string{"-u", "alice:password"}, " 401"},
		{"any way that is offered", []string{"--anyauth", "-u", "alice:pass word"}, "alice reader 127.0.0.1 200"},
		{"bearer token", []string{"--oauth2-bearer", token}, "ci builder 127.0.0.1 200"},
		{"token as a password", []string{"-u", "ci:" + token}, "ci builder 127.0.0.1 200"},
		{"another's token", []string{"-u", "alice:" + token}, " 401"},
		{"certificate", []string{"--cert", carolCert, "--key", carolKey}, "carol admin 127.0.0.1 200"},
		{"certificate and login agree", []string{"--cert", aliceCert, "--key", aliceKey, "-u", "alice:pass word"}, "alice reader 127.0.0.1 200"},
		{"certificate and login differ", []string{"--cert", carolCert, "--key", carolKey, "-u", "alice:pass word"}, " 403"},
		{"certificate and wrong password", []string{"--cert", carolCert, "--key", carolKey, "-u", "carol:x"}, " 401"},
		{"certificate without a name", []string{"--cert", namelessCert, "--key", namelessKey}, " 403"},
		{"HTTP/1.1", []string{"--http1.1", "-u", "alice:pass word"}, "alice reader 127.0.0.1 200"},
		{"PROPFIND", []string{"-X", "PROPFIND", "-u", "alice:pass word"}, "alice reader 127.0.0.1 200"},
	} {
		if got := d.curl(t, c.args...); !strings.HasSuffix(got, c.want) {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
	if log := d.log.String(); strings.Contains(log, token) || strings.Contains(log, "pass") {
		t.Errorf("the log holds a secret:\n%s", log)
	}
}

// Certificates mean nothing unless they are asked for, and only those that were
// verified count.
func TestCertificateThatDoesNotCount(t *testing.T) {
	leaf := &x509.Certificate{}
	leaf.Subject.CommonName = "carol"
	for what, c := range map[string]struct {
		certs bool
		state *tls.ConnectionState
		want  int
	}{
		"verified":     {true, &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{leaf}}}, 200},
		"not asked":    {false, &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{leaf}}}, 401},
		"not verified": {true, &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}, 401},
		"plain":        {true, nil, 401},
	} {
		f := open(t, auth.Config{ClientCerts: c.certs, Tokens: file(t, "")})
		r, w := request{}.build(t), httptest.NewRecorder()
		r.TLS = c.state
		f.handler.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s: %d, want %d", what, w.Code, c.want)
		}
	}
	only := open(t, auth.Config{ClientCerts: true})
	if w := only.want(t, request{}, 403, ""); !strings.Contains(w.Body.String(), "certificate") {
		t.Errorf("without any certificate: %q", w.Body)
	}
}

// A browser's way: no login, a challenge, the login.
func TestRefusalIsPlainText(t *testing.T) {
	f := open(t, auth.Config{Htpasswd: file(t, line(t, "alice", "a"))})
	resp := f.ask(t, request{agent: "Mozilla/5.0"}).Result()
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != "Log in.\n" || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
		t.Errorf("%q %v %v", body, resp.Header, err)
	}
	_ = resp.Body.Close() // a recorder's
}
