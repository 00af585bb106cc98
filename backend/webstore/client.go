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
	"os"
	"time"
)

// dialTimeout is how long a connection may take to come about.
const dialTimeout = 10 * time.Second

// maxRedirects is how far a server may send us on: as net/http's default.
const maxRedirects = 10

// newClient sets up the connections of one store: through the proxy that the
// environment names, kept for reuse, and ended when nothing moves.
func newClient(cfg Config) (*http.Client, error) {
	roots, err := authorities(cfg.CAFile)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: dialTimeout}
	return &http.Client{
		CheckRedirect: follow,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment,
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				c, err := dialer.DialContext(ctx, network, addr)
				if err != nil {
					return nil, err
				}
				return &conn{Conn: c, silence: cfg.Timeout}, nil
			},
			TLSClientConfig:     &tls.Config{RootCAs: roots},
			TLSHandshakeTimeout: dialTimeout,
			MaxIdleConnsPerHost: cfg.Parallel + 4,
			IdleConnTimeout:     90 * time.Second,
			// One connection's window would be shared by all ranges.
			ForceAttemptHTTP2:  false,
			DisableCompression: true, // ranges are of what is stored
		},
	}, nil
}

// errDirectory says that the server has a directory where an object was asked for:
// it sends on to the same path with a slash.
var errDirectory = fmt.Errorf("the server has a directory of this name: %w", fs.ErrNotExist)

// follow keeps what a request asks for. Range and conditions go along by
// themselves; credentials stay with the host that they are for.
func follow(req *http.Request, via []*http.Request) error {
	if len(via) >= maxRedirects {
		return fmt.Errorf("the server sends on more than %d times", maxRedirects)
	}
	if last := via[len(via)-1].URL; req.URL.Host == last.Host && req.URL.Path == last.Path+"/" {
		return errDirectory
	}
	if req.URL.Scheme == "http" && via[0].URL.Scheme == "https" {
		return errors.New("the server sends on from https to http")
	}
	if req.URL.Host != via[0].URL.Host {
		req.Header.Del("Authorization")
	}
	return nil
}

// authorities are those that the system trusts and those in file, nil for the
// system's alone.
func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // the file's alone
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form: %w", file, fs.ErrInvalid)
	}
	return pool, nil
}

// A conn fails when nothing comes for a while.
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
