package remote

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
)

const (
	// usualConns is how many connections there may be at once.
	usualConns = 1000
	// spareConns is how many more are told so, by a 503 that a client understands
	// over TLS and HTTP/2 too. Others are closed without a word: to speak costs as
	// much as to serve.
	spareConns = 64
)

// conns counts connections. It does not wrap them, as golang.org/x/net/netutil
// does: net/http then could not use sendfile(2). And those that are too many are
// told rather than kept waiting in a queue that nobody sees. It is safe for
// concurrent use.
type conns struct {
	most    int64
	open    atomic.Int64
	refused atomic.Int64
}

func newConns(most int) *conns {
	if most <= 0 {
		most = usualConns
	}
	return &conns{most: int64(most)}
}

type crowdedKey struct{}

// opened is the server's ConnContext: it counts a connection, and marks one that
// is too much.
func (c *conns) opened(ctx context.Context, conn net.Conn) context.Context {
	n := c.open.Add(1)
	if n <= c.most {
		return ctx
	}
	c.refused.Add(1)
	if n > c.most+spareConns {
		_ = conn.Close() // net/http notices, and counts it out
	}
	return context.WithValue(ctx, crowdedKey{}, true)
}

// changed is the server's ConnState: it counts out what is closed.
func (c *conns) changed(_ net.Conn, state http.ConnState) {
	if state == http.StateClosed || state == http.StateHijacked {
		c.open.Add(-1)
	}
}

// turnAway answers requests of connections that are too many.
func turnAway(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Context().Value(crowdedKey{}) == nil {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Connection", "close")
		retryLater(w, http.StatusServiceUnavailable, "Too many connections. Try again.", 1)
	})
}
