// Package certstest makes certificates for tests: authorities, and what they
// sign for servers and clients.
package certstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"testing"
	"time"
)

// A CA is a certificate authority.
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string
}

// NewCA makes an authority whose files lie in a directory of the test.
func NewCA(tb testing.TB, name string) *CA {
	tb.Helper()
	ca := &CA{key: newKey(tb), dir: tb.TempDir()}
	form := template(tb, name)
	form.IsCA, form.BasicConstraintsValid, form.KeyUsage = true, true, x509.KeyUsageCertSign
	ca.cert = sign(tb, form, form, ca.key, ca.key)
	return ca
}

// File is the authority's certificate as a PEM file.
func (ca *CA) File(tb testing.TB) string {
	tb.Helper()
	return write(tb, ca.dir, "ca-*.pem", "CERTIFICATE", ca.cert.Raw)
}

// Pool trusts the authority alone.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return pool
}

// Issue makes a certificate for localhost and 127.0.0.1, and for a client of that
// common name. It gives the names of two PEM files.
func (ca *CA) Issue(tb testing.TB, name string) (certFile, keyFile string) {
	tb.Helper()
	return ca.IssueUntil(tb, name, time.Now().Add(time.Hour))
}

// IssueUntil is Issue with an end.
func (ca *CA) IssueUntil(tb testing.TB, name string, end time.Time) (certFile, keyFile string) {
	tb.Helper()
	form, key := template(tb, name), newKey(tb)
	form.NotAfter = end
	form.DNSNames, form.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	form.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	cert := sign(tb, form, ca.cert, key, ca.key)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	return write(tb, ca.dir, "cert-*.pem", "CERTIFICATE", cert.Raw), write(tb, ca.dir, "key-*.pem", "PRIVATE KEY", der)
}

// Client is what a client needs that trusts the authority; with a name it has a
// certificate of its.
func (ca *CA) Client(tb testing.TB, name string) *tls.Config {
	tb.Helper()
	cfg := &tls.Config{RootCAs: ca.Pool(), MinVersion: tls.VersionTLS12}
	if name == "" {
		return cfg
	}
	pair, err := tls.LoadX509KeyPair(ca.Issue(tb, name))
	if err != nil {
		tb.Fatal(err)
	}
	cfg.Certificates = []tls.Certificate{pair}
	return cfg
}

func template(tb testing.TB, name string) *x509.Certificate {
	tb.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		tb.Fatal(err)
	}
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
}

func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func sign(tb testing.TB, form, parent *x509.Certificate, key, by *ecdsa.PrivateKey) *x509.Certificate {
	tb.Helper()
	der, err := x509.CreateCertificate(rand.Reader, form, parent, &key.PublicKey, by)
	if err != nil {
		tb.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return cert
}

// write keeps DER as PEM in a new file.
func write(tb testing.TB, dir, pattern, kind string, der []byte) string {
	tb.Helper()
	f, err := os.CreateTemp(dir, pattern)
	if err != nil {
		tb.Fatal(err)
	}
	if err := pem.Encode(f, &pem.Block{Type: kind, Bytes: der}); err != nil {
		tb.Fatal(err)
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
	return f.Name()
}
