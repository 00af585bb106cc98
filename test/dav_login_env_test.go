package test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/test/need"
	"cosafs/test/storegen"
)

// newServed makes a build directory of builds that nobody has to make.
func newServed(tb testing.TB, tools ...string) *env {
	tb.Helper()
	needStores(tb)
	need.Tool(tb, tools...)
	buildProgram(tb)
	dir := tb.TempDir()
	e := &env{TB: tb, dir: dir, work: filepath.Join(dir, "work"), mnt: filepath.Join(dir, "mnt"), os: filepath.Join(dir, "os")}
	e.environ = append(os.Environ(), "XDG_RUNTIME_DIR="+filepath.Join(dir, "run"), "COSA_NO_KVM=1", "COSAFS_LINGER=100ms")
	e.mkdir(e.mnt, filepath.Join(dir, "run"), filepath.Join(e.os, "config"))
	e.write("os/config/manifest.yaml", "ref: demo/stable\n")
	e.write("os/config/image.yaml", "size: 1\n")
	e.cosafs("init", filepath.Join(e.os, "config"))
	e.sh("rm", "-r", filepath.Join(e.work, "builds"))
	if _, err := storegen.Make(tb.Context(), storegen.Config{Dir: filepath.Join(e.work, "builds"), Builds: 2}); err != nil {
		tb.Fatal(err)
	}
	return e
}

// write writes a file of the environment's directory at once, as an editor does,
// and gives its path.
func (e *env) write(name, text string) string {
	e.Helper()
	path := filepath.Join(e.dir, name)
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		e.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		e.Fatal(err)
	}
	return path
}

// log is what the environment's servers logged so far.
func (e *env) log() string {
	e.Helper()
	data, err := os.ReadFile(filepath.Join(e.dir, "log"))
	if err != nil {
		e.Fatal(err)
	}
	return string(data)
}

// authority makes ca.pem, of an authority of these tests.
func (e *env) authority() {
	e.Helper()
	e.openssl("-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=tests")
}

// issue makes NAME.pem and NAME.key, for a server on this machine or for a client of
// that name.
func (e *env) issue(name string) (cert, key string) {
	e.Helper()
	e.openssl("-CA", "ca.pem", "-CAkey", "ca.key", "-keyout", name+".key", "-out", name+".pem", "-subj", "/CN="+name,
		"-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE")
	return filepath.Join(e.dir, name+".pem"), filepath.Join(e.dir, name+".key")
}

func (e *env) openssl(args ...string) {
	e.Helper()
	e.sh("openssl", append([]string{"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"}, args...)...)
}

// token makes a token for a name, and adds its line to the file of tokens.
func (e *env) token(name string) string {
	e.Helper()
	line, told, err := e.try(shared.cosafs, "token", name)
	if err != nil {
		e.Fatal(err, told)
	}
	old, err := os.ReadFile(filepath.Join(e.dir, "tokens"))
	if err != nil && !os.IsNotExist(err) {
		e.Fatal(err)
	}
	e.write("tokens", string(old)+line)
	_, secret, _ := strings.Cut(strings.TrimSpace(told), "only now: ")
	return secret
}

// A login is how somebody comes to a door: with some of these.
type login struct {
	user, password string
	bearer         string
	cert           string // name of a certificate
}

// A visitor asks at a door as one login.
type visitor struct {
	*env
	url       string
	client    *http.Client
	transport *http.Transport // of client
	login
}

// visitor trusts the authority alone.
func (e *env) visitor(d *door, l login) *visitor {
	e.Helper()
	trusted := x509.NewCertPool()
	ca, err := os.ReadFile(filepath.Join(e.dir, "ca.pem"))
	if err != nil || !trusted.AppendCertsFromPEM(ca) {
		e.Fatal("no authority: ", err)
	}
	cfg := &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}
	if l.cert != "" {
		pair, err := tls.LoadX509KeyPair(filepath.Join(e.dir, l.cert+".pem"), filepath.Join(e.dir, l.cert+".key"))
		if err != nil {
			e.Fatal(err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	transport := &http.Transport{TLSClientConfig: cfg}
	e.Cleanup(transport.CloseIdleConnections)
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &visitor{e, d.url, &http.Client{Transport: transport, CheckRedirect: stay}, transport, l}
}

// An answered request: its body was read.
type answered struct {
	*http.Response
	text string
}

// ask sends a request. Status 0 is none: the connection failed.
func (v *visitor) ask(method, path, body string) answered {
	v.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(v.Context()), method, v.url+path, strings.NewReader(body))
	if err != nil {
		v.Fatal(err)
	}
	if v.user != "" {
		req.SetBasicAuth(v.user, v.password)
	}
	if v.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+v.bearer)
	}
	resp, err := v.client.Do(req)
	if err != nil {
		return answered{&http.Response{}, err.Error()}
	}
	defer func() { _ = resp.Body.Close() }() // all of it is read
	var text bytes.Buffer
	if _, err := io.Copy(&text, resp.Body); err != nil {
		v.Fatal(err)
	}
	return answered{resp, text.String()}
}

// get is the status of a GET.
func (v *visitor) get(path string) int {
	v.Helper()
	return v.ask(http.MethodGet, path, "").StatusCode
}
