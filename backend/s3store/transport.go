package s3store

import (
	"context"
	"net"
	"net/http"
	"time"
)

// dialTimeout is how long a connection may take to come about.
const dialTimeout = 10 * time.Second

// transport sets up the connections of one store. They are kept for reuse by as
// many requests as may run at once, and a few more.
func transport(tr *http.Transport, cfg Config) *http.Transport {
	tr.MaxIdleConnsPerHost = cfg.Parallel + 4
	tr.MaxIdleConns = max(tr.MaxIdleConns, tr.MaxIdleConnsPerHost)
	dialer := &net.Dialer{Timeout: dialTimeout}
	tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &conn{Conn: c, silence: cfg.Timeout}, nil
	}
	return tr
}

// A conn fails when nothing moved for a while. The SDK's own time-out counts
// what is read only, and so ends uploads that are merely slow.
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
// for each piece.
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
