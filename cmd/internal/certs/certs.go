// Package certs gives the TLS side of a server: a certificate and client
// authorities that are read again when their files change, so that a renewed
// certificate needs no restart.
package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"cosafs/cmd/internal/reload"
	"cosafs/materialize"
)

// A Pair is a certificate chain and its key, as new as their files. It is safe
// for concurrent use.
type Pair struct {
	log     *slog.Logger
	now     func() time.Time
	current *reload.Value[*tls.Certificate]
}

// Open reads a PEM certificate chain, the server's own first, and its key. nil
// log discards. Of a pair that is being replaced only one file may be new: as
// long as they don't belong together, or can't be read, the former pair stays,
// and the log says so once.
func Open(certFile, keyFile string, log *slog.Logger) (*Pair, error) {
	return open(certFile, keyFile, log, time.Now)
}

func open(certFile, keyFile string, log *slog.Logger, now func() time.Time) (*Pair, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	p := &Pair{log: log, now: now}
	read := func() (*tls.Certificate, error) { return p.readPair(certFile, keyFile) }
	current, err := reload.Open(p.watch(certFile, keyFile), read)
	if err != nil {
		return nil, err
	}
	p.current = current
	return p, nil
}

func (p *Pair) watch(paths ...string) reload.Config {
	return reload.Config{Paths: paths, Logger: p.log, Now: p.now}
}

// readPair reads both files. One that expired is served: its owner sees that in
// any client, while a server that doesn't start tells less.
func (p *Pair) readPair(certFile, keyFile string) (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, unusable("read certificate and key", "both are PEM files; the key has to be that of the first certificate",
			[]string{certFile, keyFile}, err)
	}
	if end := pair.Leaf.NotAfter; p.now().After(end) {
		p.log.Warn("the certificate has expired; clients will refuse it", "path", certFile, "since", end)
	}
	return &pair, nil
}

// Config gives what a server needs: TLS 1.2 or newer, HTTP/2 and HTTP/1.1, and
// the newest certificate for each connection. With a clientCA (a PEM file of
// certificates; "" = none), client certificates are verified where they are
// sent; whether one is needed is for the requests' handler to say. A connection
// that was opened stays open whatever changes.
func (p *Pair) Config(clientCA string) (*tls.Config, error) {
	cas := func() *x509.CertPool { return nil }
	if clientCA != "" {
		v, err := reload.Open(p.watch(clientCA), func() (*x509.CertPool, error) { return readPool(clientCA) })
		if err != nil {
			return nil, err
		}
		cas = v.Get
	}
	cfg := p.config(cas())
	cfg.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return p.config(cas()), nil }
	return cfg, nil
}

// config is that of one connection.
func (p *Pair) config(cas *x509.CertPool) *tls.Config {
	cfg := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{*p.current.Get()},
		// HTTP/2 is for who speaks nothing else: over HTTP/1.1 a download takes half the
		// processor time.
		NextProtos: []string{"http/1.1", "h2"},
	}
	if cas != nil {
		cfg.ClientCAs, cfg.ClientAuth = cas, tls.VerifyClientCertIfGiven
	}
	return cfg
}

// unusable says which files are meant, where the cause does not.
func unusable(op, hint string, paths []string, err error) error {
	var path *fs.PathError
	if !errors.As(err, &path) {
		err = fmt.Errorf("%s: %w", strings.Join(paths, " and "), err)
	}
	return materialize.Fail(materialize.ClassConfig, op, hint, err)
}
