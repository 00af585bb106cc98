package remote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// What clients may take. None of these bounds a whole answer: a GET may wait half
// an hour for a build, and an image may take hours over a slow line.
const (
	headerTime  = 10 * time.Second // until the header is there
	headerBytes = 64 << 10         // of a header
	idleTime    = 2 * time.Minute  // between two requests of a connection
	pingTime    = time.Minute      // until a silent HTTP/2 client is asked whether it lives
	// streamsMost bounds the requests at once of one HTTP/2 connection, which counts
	// as one of the connections.
	streamsMost = 100

	drainTime    = 5 * time.Second
	farewellTime = time.Second
)

// errEnding is why requests end that are still being answered when the server does.
var errEnding = errors.New("the server is ending")

// newHTTP gives the server of everything that came through admit.
func newHTTP(cfg Config, s *Server, who admission, d doors) *http.Server {
	conns := newConns(cfg.MaxConns)
	m := newMetrics(cfg, conns, d)
	return &http.Server{
		Handler:           s.handler(cfg, who, d, m),
		ConnContext:       conns.opened,
		ConnState:         conns.changed,
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    headerBytes,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: streamsMost,
			WriteByteTimeout:     stallTime, // of the connection, which its streams share
			SendPingTimeout:      pingTime,
		},
		TLSConfig: s.tls,
		ErrorLog:  slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelInfo),
	}
}

// Serve answers until ctx ends. Then nobody else is let in, and small answers are
// finished; waits for builds and long downloads are cut off after some seconds.
// It returns when no request is left. It is called once.
func (s *Server) Serve(ctx context.Context) error {
	life, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(nil)
	s.http.BaseContext = func(net.Listener) context.Context { return life }
	failed := make(chan error, len(s.listeners))
	for _, l := range s.listeners {
		go func() { failed <- s.accept(l) }()
	}
	left := len(s.listeners)
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		left--
	}
	s.stop(ctx, end)
	for range left {
		err = errors.Join(err, <-failed)
	}
	s.requests.shut()
	return errors.Join(err, s.close())
}

// accept answers at one of the listeners.
func (s *Server) accept(l net.Listener) error {
	var err error
	if s.tls != nil {
		err = s.http.ServeTLS(l, "", "")
	} else {
		err = s.http.Serve(l)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve %s: %w", l.Addr(), err)
}

// stop ends the requests: it waits for those that end soon, then has the others
// say why they end, and cuts off whoever does not listen.
func (s *Server) stop(ctx context.Context, end context.CancelCauseFunc) {
	ctx = context.WithoutCancel(ctx)
	err := s.shutdown(ctx, s.patience.drain)
	end(errEnding)
	if err != nil {
		err = s.shutdown(ctx, s.patience.farewell)
	}
	if err != nil {
		s.log.Info("cut off those who would not end", "urls", s.urls)
		_ = s.http.Close() // what it says is about connections, which are gone either way
	}
}

// shutdown lets nobody in, and waits for those who are.
func (s *Server) shutdown(ctx context.Context, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return s.http.Shutdown(ctx)
}
