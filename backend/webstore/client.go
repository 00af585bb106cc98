package webstore

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

const (
	dialTimeout  = 10 * time.Second // for a connection, and for TLS on it
	maxRedirects = 10               // of one request
)

// newTransport sets up the connections of one store. They are kept for reuse by
// as many requests as may run at once, and a few more. Each carries one answer at
// a time (HTTP/1.1): where ranges share one connection, as with HTTP/2, they
// share its window, and a silent one hides behind the others.
func newTransport(cfg Config) (*http.Transport, error) {
	roots, err := authorities(cfg.CAFile)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: min(dialTimeout, cfg.Timeout)}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &conn{Conn: c, silence: cfg.Timeout}, nil
		},
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout:   dialTimeout,
		ResponseHeaderTimeout: cfg.Timeout,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConnsPerHost:   cfg.Parallel + 4,
		DisableCompression:    true,
	}, nil
}

// authorities gives the system's certificate authorities and those of a file; nil
// are the system's alone.
func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("certificate authorities: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a system without any trusts the file alone
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form: %w", file, fs.ErrInvalid)
	}
	return pool, nil
}

// A conn fails when nothing moved for a while.
type conn struct {
	net.Conn
	silence time.Duration
}

// Read implements [net.Conn].
func (c *conn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.silence)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write implements [net.Conn]. A Read that waits beside it, for the answer to what
// is written, gets the whole time anew.
func (c *conn) Write(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.silence)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// newClient gives a client that logs in at root's server.
func newClient(tr http.RoundTripper, root *url.URL, login string) *http.Client {
	if login != "" {
		tr = &loggedIn{RoundTripper: tr, root: root, login: login}
	}
	return &http.Client{Transport: tr, CheckRedirect: follow}
}

// loggedIn sends credentials to one server only, wherever requests are redirected.
type loggedIn struct {
	http.RoundTripper
	root  *url.URL
	login string // value of the header
}

// RoundTrip implements [http.RoundTripper].
func (l *loggedIn) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == l.root.Scheme && strings.EqualFold(req.URL.Host, l.root.Host) {
		req = req.Clone(req.Context()) // a RoundTripper must not change what it is given
		req.Header.Set("Authorization", l.login)
	}
	return l.RoundTripper.RoundTrip(req)
}

// errDirectory means that a server adds a slash to the name asked for: that is how
// servers say that it is a directory's, and so no object's.
var errDirectory = fmt.Errorf("the server has a directory of that name: %w", fs.ErrNotExist)

// follow decides on a redirect. The headers that say what is asked for go along.
func follow(req *http.Request, via []*http.Request) error {
	switch last := via[len(via)-1].URL; {
	case req.URL.Path == last.Path+"/" && req.URL.Scheme == last.Scheme && req.URL.Host == last.Host && req.URL.RawQuery == last.RawQuery:
		return errDirectory // anything else may be a way to log in
	case len(via) > maxRedirects:
		return fmt.Errorf("more than %d redirects", maxRedirects)
	case req.URL.Scheme == "http" && via[0].URL.Scheme == "https":
		return errors.New("a redirect from https to http, where anybody could change what is read")
	}
	req.Header.Del("Referer") // it has the query of the URL, which may be a secret
	return nil
}
