// Package httplink has what stores behind HTTP share: connections that end when
// they fall silent, whom they trust, and how a range is asked for.
package httplink

import (
	"context"
	"crypto/x509"
	"fmt"
	"io/fs"
	"math"
	"net"
	"os"
	"time"

	"cosafs/backend"
)

// DialTimeout is how long a connection may take to come about.
const DialTimeout = 10 * time.Second

// Dial gives a function for [net/http.Transport]: it gives up after timeout, and
// its connections fail when nothing moved on them for silence.
func Dial(timeout, silence time.Duration) func(ctx context.Context, network, addr string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: timeout}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &conn{Conn: c, silence: silence}, nil
	}
}

// A conn fails when nothing moved for a while. A time-out that counts what is
// read only ends uploads that are merely slow.
type conn struct {
	net.Conn
	silence time.Duration
}

// Read implements [net.Conn]. A Write beside it gives it more time.
func (c *conn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.silence)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write implements [net.Conn]. It writes little by little: the silence allowed is
// for each piece. A Read that waits beside it, for the answer to what is written,
// gets the whole time anew.
func (c *conn) Write(p []byte) (done int, err error) {
	const piece = 128 << 10
	for {
		if err := c.SetDeadline(time.Now().Add(c.silence)); err != nil {
			return done, err
		}
		n, err := c.Conn.Write(p[done:min(done+piece, len(p))])
		done += n
		if err != nil || done == len(p) {
			return done, err
		}
	}
}

// Authorities gives the system's certificate authorities and those of a PEM file;
// nil, which are the system's alone, for "". A file without a certificate is
// fs.ErrInvalid.
func Authorities(file string) (*x509.CertPool, error) {
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

// RangeHeader gives the header that asks for a range that is not empty; "" for
// a whole object.
func RangeHeader(r backend.Range) string {
	switch {
	case r.Len < 0 && r.Off == 0:
		return ""
	case r.Len < 0:
		return fmt.Sprintf("bytes=%d-", r.Off)
	}
	return fmt.Sprintf("bytes=%d-%d", r.Off, r.Off+min(r.Len-1, math.MaxInt64-r.Off))
}
