// Package remote serves the tree to other machines: over WebDAV, as pages and as
// a JSON API, on a TCP address or a unix socket. It opens the door and keeps it:
// who may come in, how many at once, how long they may take, and what is said of
// them in the log and in metrics. What they get comes from the handlers that it
// puts together; it knows nothing of builds itself.
package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"cosafs/vfs"
	"cosafs/vfs/webui"
)

// Config says what to serve, and to whom.
type Config struct {
	webui.ServeRequest
	// Tree gives the tree.
	Tree func(vfs.Options) *vfs.FS
	// Service answers the API and the pages. It should be a [webui.Keeper] where there
	// is an index, and must not be a [webui.Mounter] or [webui.Opener]: what is done to
	// this machine is no business of other machines.
	Service webui.Service
	// Ready says why the server should get no requests yet; nil, or a nil error = it
	// may. It is asked by /readyz, without a login, so it names no secrets.
	Ready   func() error
	Version string       // of the program
	Logger  *slog.Logger // nil discards
	// Listeners are open already and belong to the server from now on, also where it
	// fails; nil = open Addr.
	Listeners []net.Listener
}

// A Server is an open door. Only [Server.Serve] answers at it.
type Server struct {
	http      *http.Server
	listeners []net.Listener
	tls       *tls.Config // nil = plain HTTP
	urls      []string
	log       *slog.Logger
	close     func() error // of what requests need; called when there are none any more

	requests gate
	patience patience
}

// patience is how long the server waits for others.
type patience struct {
	stall    time.Duration // for a client that takes or sends nothing
	drain    time.Duration // at the end, for requests that end by themselves
	farewell time.Duration // then, for those that are told to end
}

// Listen opens the door. Before that it checks all that could be wrong: the files
// that say who may come in, the certificate, the collection for uploads, the
// address. An address in use is fs.ErrExist. Without any way to log in an address
// that other machines reach is fs.ErrPermission. What a person has to do is the
// error's hint.
func Listen(ctx context.Context, cfg Config) (*Server, error) { return listen(ctx, cfg, openDoors) }

// An opener makes the doors of a server.
type opener func(context.Context, Config) (doors, error)

// listen is Listen with the doors that open makes.
func listen(ctx context.Context, cfg Config, open opener) (*Server, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	p, err := placeOf(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s, err := listenAt(ctx, cfg, p, open)
	if err != nil {
		closeAll(p.open)
		return nil, err
	}
	return s, nil
}

// listenAt is listen at a place that was judged.
func listenAt(ctx context.Context, cfg Config, p place, open opener) (*Server, error) {
	who, err := admit(cfg, p)
	if err != nil {
		return nil, err
	}
	tlsConfig, err := openTLS(cfg)
	if err != nil {
		return nil, err
	}
	if err := checkUploadDir(ctx, cfg); err != nil {
		return nil, err
	}
	d, err := open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	listeners, err := p.bind(ctx, who.guard.Logins())
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	s := &Server{
		close: d.close, listeners: listeners, tls: tlsConfig, urls: urlsOf(listeners, tlsConfig != nil), log: cfg.Logger,
		patience: patience{stall: stallTime, drain: drainTime, farewell: farewellTime},
	}
	s.http = newHTTP(cfg, s, who, d)
	return s, nil
}

// URLs are the addresses that people can type, without a final slash.
func (s *Server) URLs() []string { return s.urls }

func closeAll(list []net.Listener) {
	for _, l := range list {
		_ = l.Close() // nobody uses it any more
	}
}
