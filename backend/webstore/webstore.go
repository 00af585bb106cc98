// Package webstore reads builds behind plain http(s): any web server or bucket
// that hands out files. Such a place can't be listed; builds.json is the list.
//
// A version is the server's strong ETag or, where it has none, date and size
// together. Every answer is compared with the version that was asked for,
// whatever the server makes of conditions, so bytes of two versions never mix.
package webstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"

	"cosafs/backend"
)

// A Store is a directory of a web server. It is a [backend.Store] and can't be
// written.
type Store struct {
	cfg    Config
	root   *url.URL
	client *http.Client
	login  login
}

var _ backend.Store = (*Store)(nil)

// Open gives the store that cfg names. It asks nothing. A URL, a CA file or a
// netrc file that can't be used is an error.
func Open(cfg Config) (*Store, error) {
	cfg = cfg.withDefaults()
	root, err := cfg.root()
	if err != nil {
		return nil, err
	}
	who, err := findLogin(cfg, root)
	if err != nil {
		return nil, err
	}
	client, err := newClient(cfg)
	if err != nil {
		return nil, err
	}
	root.User = nil // it is in the login
	return &Store{cfg: cfg, root: root, client: client, login: who}, nil
}

// String gives the store's URL, without a password.
func (s *Store) String() string { return s.root.String() }

// List implements [backend.Store]: a web server has no lists.
func (s *Store) List(_ context.Context, prefix backend.Key) iter.Seq2[backend.Info, error] {
	return func(yield func(backend.Info, error) bool) {
		yield(backend.Info{}, s.fail("list", prefix, errors.ErrUnsupported))
	}
}

// Properties implements [backend.Store]. Ranges are taken to be cheap: the few
// servers that ignore them are read from the start, which is slow but right.
func (s *Store) Properties() backend.Properties {
	return backend.Properties{Parallel: s.cfg.Parallel, Ranges: true}
}

// Close implements [backend.Store].
func (s *Store) Close() error {
	s.client.CloseIdleConnections()
	return nil
}

// fail says what was done to which object when err came.
func (s *Store) fail(op string, key backend.Key, err error) error {
	return fmt.Errorf("%s %s/%s: %w", op, s, key, err)
}
