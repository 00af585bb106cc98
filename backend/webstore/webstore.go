// Package webstore is a backend.Store over plain http and https: a web server or
// a public bucket behind a URL, read-only and without lists. What lies there is
// known from builds.json.
//
// It asks once and reports what came back; backend.Retry tries again.
package webstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/http"
	"net/url"
	"time"

	"cosafs/backend"
)

// A Config says where a store is and how to reach it. URL is needed.
type Config struct {
	// URL is the root of keys, http(s)://HOST/PATH, below which builds.json lies. A
	// name and password in it are sent to that host; a query (a signature, as
	// object stores hand out for a whole folder) goes with each request to it.
	URL string
	// CAFile is a PEM file of authorities to trust as well as the system's.
	CAFile string
	// Netrc is a file with passwords by host, as curl and ftp read it; "" = none. A
	// Bearer token, and a password in the URL, go before it.
	Netrc, Bearer string
	Timeout       time.Duration // longest silence of the server; 0 = 60 s
	Parallel      int           // requests worth running at once; 0 = 16
}

// A Store is what lies below one URL.
//
// # Versions
//
// The Version of an object is its ETag if that is a strong one. Each read asks for
// it (If-Match), and what the answer says is compared all the same. A server
// with no ETag, or a weak one, which promises the same meaning and not the same
// bytes, has Versions of modification time, size and weak ETag together, asked
// for with If-Unmodified-Since. Bytes that change within one second to the same
// length are the same version there; so they are to servers that make ETags of
// time and size (nginx). Then the sha256 of meta.json finds out. A server that
// sends none of these can't be read: errors.ErrUnsupported.
//
// # Ranges
//
// Properties say that ranges are cheap, because with nearly all servers they
// are. Of a server that ignores them the bytes before the range are read and
// thrown away, up to 64 MiB; a range further on is errors.ErrUnsupported,
// because reading a file range by range would move it over and over.
type Store struct {
	root      *url.URL // without user
	name      string   // for messages
	client    *http.Client
	transport *http.Transport
	parallel  int
}

var _ backend.Store = (*Store)(nil)

// Open gives the store that cfg describes. It reads the files that cfg names but
// asks no server, so a store that is not there shows with the first call. A URL
// that can't be used is fs.ErrInvalid. Proxies are those of the environment:
// HTTP_PROXY, HTTPS_PROXY, NO_PROXY.
//
// Credentials are sent to the URL's own scheme, host and port, and are not taken
// along where that redirects.
func Open(cfg Config) (*Store, error) {
	if cfg.Timeout == 0 {
		cfg.Timeout = time.Minute
	}
	if cfg.Parallel == 0 {
		cfg.Parallel = 16
	}
	root, err := parseRoot(cfg.URL)
	if err != nil {
		return nil, err
	}
	s := &Store{root: root, name: publicName(root), parallel: cfg.Parallel}
	login, err := credentials(cfg, root)
	if err == nil {
		s.transport, err = newTransport(cfg)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s, err)
	}
	root.User = nil
	s.client = newClient(s.transport, root, login)
	return s, nil
}

// String gives the URL without credentials and query, for messages.
func (s *Store) String() string { return s.name }

// List implements [backend.Store]: a web server has no lists.
func (s *Store) List(ctx context.Context, prefix backend.Key) iter.Seq2[backend.Info, error] {
	return func(yield func(backend.Info, error) bool) {
		err := errors.Join(prefix.CheckPrefix(), ctx.Err())
		if err == nil {
			err = errors.ErrUnsupported
		}
		yield(backend.Info{}, s.fail("list", prefix, err))
	}
}

// Properties implements [backend.Store].
func (s *Store) Properties() backend.Properties {
	return backend.Properties{Parallel: s.parallel, Ranges: true}
}

// Close implements [backend.Store].
func (s *Store) Close() error {
	s.transport.CloseIdleConnections()
	return nil
}

// fail says what was done to which object when err came.
func (s *Store) fail(op string, key backend.Key, err error) error {
	return &fs.PathError{Op: op, Path: s.name + "/" + string(key), Err: err}
}
