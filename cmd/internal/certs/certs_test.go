package certs_test

import (
	"crypto/tls"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cosafs/cmd/internal/certs"
	"cosafs/materialize"
	"cosafs/test/certstest"
	"cosafs/test/logbuf"
)

// A server is one that a test changes the files of.
type server struct {
	cert, key string
	addr      string
	url       string
	clock     *clock
	log       *logbuf.Buffer
}

// A clock goes on when it is told to.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) pass()          { c.ahead.Add(int64(2 * time.Second)) }

// serve starts a server that answers who its client is.
func serve(t *testing.T, ca *certstest.CA, clientCA string) *server {
	t.Helper()
	dir := t.TempDir()
	s := &server{cert: filepath.Join(dir, "cert"), key: filepath.Join(dir, "key"), clock: &clock{}, log: &logbuf.Buffer{}}
	cert, key := ca.Issue(t, "first")
	put(t, s.cert, read(t, cert))
	put(t, s.key, read(t, key))
	pair, err := certs.OpenAt(s.cert, s.key, slog.New(slog.NewTextHandler(s.log, nil)), s.clock.now)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := pair.Config(clientCA)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr, s.url = l.Addr().String(), "https://"+l.Addr().String()
	srv := &http.Server{Handler: http.HandlerFunc(whoami), TLSConfig: cfg, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	done := make(chan error)
	go func() { done <- srv.ServeTLS(l, "", "") }()
	t.Cleanup(func() {
		_ = srv.Close() // the listener's error is that of done
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return s
}

func whoami(w http.ResponseWriter, r *http.Request) {
	name := "nobody"
	if len(r.TLS.VerifiedChains) > 0 {
		name = r.TLS.VerifiedChains[0][0].Subject.CommonName
	}
	_, _ = io.WriteString(w, name) // a client that is gone reads nothing
}

// shows gives the common name of the certificate that a new connection gets.
func (s *server) shows(t *testing.T, ca *certstest.CA) string {
	t.Helper()
	conn, err := tls.Dial("tcp", s.addr, ca.Client(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // nothing was sent
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
}

// get asks over a new connection and gives the answer's text.
func (s *server) get(t *testing.T, cfg *tls.Config) (string, error) {
	t.Helper()
	tr := &http.Transport{TLSClientConfig: cfg, DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: tr}).Get(s.url)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRenewedCertificateIsServed(t *testing.T) {
	ca := certstest.NewCA(t, "ca")
	s := serve(t, ca, "")
	cert, key := ca.Issue(t, "second")
	put(t, s.cert, read(t, cert))
	put(t, s.key, read(t, key))
	if got := s.shows(t, ca); got != "first" {
		t.Errorf("within a second the files are looked at again: %s", got)
	}
	s.clock.pass()
	if got := s.shows(t, ca); got != "second" {
		t.Errorf("a second later it shows %s", got)
	}
}

func TestHalfWrittenPairKeepsTheFormer(t *testing.T) {
	ca := certstest.NewCA(t, "ca")
	s := serve(t, ca, "")
	cert, key := ca.Issue(t, "second")
	for _, half := range []string{read(t, cert), read(t, cert)[:100], ""} {
		put(t, s.cert, half)
		for range 3 {
			s.clock.pass()
			if got := s.shows(t, ca); got != "first" {
				t.Errorf("with %d bytes of the new certificate it shows %q", len(half), got)
			}
		}
	}
	if n := strings.Count(s.log.String(), "level=ERROR"); n != 3 {
		t.Errorf("3 broken states made %d errors in the log:\n%s", n, s.log)
	}
	if err := os.Remove(s.cert); err != nil {
		t.Fatal(err)
	}
	s.clock.pass()
	if got := s.shows(t, ca); got != "first" {
		t.Errorf("without a file it shows %q", got)
	}
	put(t, s.cert, read(t, cert))
	put(t, s.key, read(t, key))
	s.clock.pass()
	if got := s.shows(t, ca); got != "second" {
		t.Errorf("with a whole pair it shows %q", got)
	}
}

// Kubernetes and certbot swap links.
func TestSwappedLinkIsSeen(t *testing.T) {
	ca := certstest.NewCA(t, "ca")
	s := serve(t, ca, "")
	cert, key := ca.Issue(t, "second")
	for link, to := range map[string]string{s.cert: cert, s.key: key} {
		if err := os.Remove(link); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
	}
	s.clock.pass()
	if got := s.shows(t, ca); got != "second" {
		t.Errorf("it shows %q", got)
	}
}

func TestProtocols(t *testing.T) {
	ca := certstest.NewCA(t, "ca")
	s := serve(t, ca, "")
	for _, offers := range [][]string{{"h2"}, {"http/1.1"}, {"h2", "http/1.1"}} {
		offer := offers[len(offers)-1] // downloads are faster over HTTP/1.1
		cfg := ca.Client(t, "")
		cfg.NextProtos = offers
		conn, err := tls.Dial("tcp", s.addr, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if got := conn.ConnectionState().NegotiatedProtocol; got != offer {
			t.Errorf("offered %s, agreed on %q", offer, got)
		}
		_ = conn.Close() // nothing was sent
	}
	old := ca.Client(t, "")
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if conn, err := tls.Dial("tcp", s.addr, old); err == nil {
		_ = conn.Close() // it should not be there
		t.Error("TLS 1.1 is taken")
	}
}

func TestHTTP2IsSpoken(t *testing.T) {
	ca := certstest.NewCA(t, "ca")
	s := serve(t, ca, "")
	tr := &http.Transport{TLSClientConfig: ca.Client(t, ""), Protocols: new(http.Protocols)}
	tr.Protocols.SetHTTP2(true)
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr}).Get(s.url)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close() // only its protocol matters
	if resp.ProtoMajor != 2 {
		t.Errorf("it answers %s", resp.Proto)
	}
}

func TestClientCertificates(t *testing.T) {
	ca, stranger := certstest.NewCA(t, "ca"), certstest.NewCA(t, "stranger")
	s := serve(t, ca, ca.File(t))
	for name, want := range map[string]string{"": "nobody", "alice": "alice"} {
		if got, err := s.get(t, ca.Client(t, name)); got != want || err != nil {
			t.Errorf("client %q is %q, %v", name, got, err)
		}
	}
	cfg := stranger.Client(t, "alice")
	cfg.RootCAs = ca.Pool()
	if got, err := s.get(t, forced(cfg)); err == nil {
		t.Errorf("a certificate of a stranger is taken for %q", got)
	}
}

// forced sends the certificate even if the server does not name its authority.
func forced(cfg *tls.Config) *tls.Config {
	pair := cfg.Certificates[0]
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	return cfg
}

// Whoever's authority is taken away stays out, also with a session that began
// before: both versions of TLS have a way to go on with one.
func TestChangedClientAuthority(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			ca, next := certstest.NewCA(t, "ca"), certstest.NewCA(t, "next")
			authorities := filepath.Join(t.TempDir(), "authorities")
			put(t, authorities, read(t, ca.File(t)))
			s := serve(t, ca, authorities)
			client := forced(ca.Client(t, "alice"))
			client.MaxVersion, client.ClientSessionCache = version, tls.NewLRUClientSessionCache(0)
			var resumed bool
			client.VerifyConnection = func(c tls.ConnectionState) error {
				resumed = c.DidResume
				return nil
			}
			for i := range 2 {
				if got, err := s.get(t, client); got != "alice" || err != nil || resumed != (i == 1) {
					t.Fatalf("alice is %q, %v; session resumed: %v", got, err, resumed)
				}
			}
			put(t, authorities, read(t, next.File(t)))
			s.clock.pass()
			if got, err := s.get(t, client); err == nil {
				t.Errorf("after her authority is gone, alice is %q", got)
			}
			newer := next.Client(t, "bob")
			newer.RootCAs = ca.Pool()
			if got, err := s.get(t, newer); got != "bob" || err != nil {
				t.Errorf("bob is %q, %v", got, err)
			}
		})
	}
}

func TestUnusableFiles(t *testing.T) {
	ca := certstest.NewCA(t, "ca")
	cert, key := ca.Issue(t, "first")
	_, other := ca.Issue(t, "second")
	for what, files := range map[string][2]string{
		"no certificate": {filepath.Join(t.TempDir(), "none"), key},
		"no key":         {cert, filepath.Join(t.TempDir(), "none")},
		"another's key":  {cert, other},
		"swapped":        {key, cert},
	} {
		p, err := certs.Open(files[0], files[1], nil)
		var f *materialize.Failure
		if p != nil || !errors.As(err, &f) || f.Hint == "" || !strings.Contains(err.Error(), "none") && !strings.Contains(err.Error(), files[0]) {
			t.Errorf("%s: %v", what, err)
		}
	}
	p, err := certs.Open(cert, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Config(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no client authorities: %v", err)
	}
	for what, text := range map[string]string{
		"empty": "", "a key": read(t, key), "cut off": read(t, cert) + read(t, ca.File(t))[:200],
		"damaged": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
	} {
		path := filepath.Join(t.TempDir(), "ca")
		put(t, path, text)
		var f *materialize.Failure
		if _, err := p.Config(path); !errors.As(err, &f) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s client authorities: %v", what, err)
		}
	}
}

func TestExpiredCertificateIsToldAbout(t *testing.T) {
	ca := certstest.NewCA(t, "ca")
	cert, key := ca.IssueUntil(t, "old", time.Now().Add(-time.Hour))
	var log logbuf.Buffer
	if _, err := certs.Open(cert, key, slog.New(slog.NewTextHandler(&log, nil))); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "expired") || !strings.Contains(log.String(), cert) {
		t.Errorf("the log says %q", log.String())
	}
}
