package main

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"

	"cosafs/backend"
	"cosafs/cmd/internal/daemon"
	"cosafs/cmd/internal/stores"
)

// storeOptions are what only commands that write to stores ask for.
type storeOptions struct {
	acl, statePrefix string
	singlePublisher  bool
}

// An openStore is a store with the name that people see.
type openStore struct {
	store backend.Store
	name  string
}

// openStore opens the store at url. It asks the store nothing.
func (p *program) openStore(ctx context.Context, url string, o storeOptions) (openStore, error) {
	s, err := stores.Open(ctx, url, stores.Config{
		Endpoint: p.endpoint(), AWSConfigFile: p.cfg.AWSConfig, CAFile: p.cfg.CA, Bearer: p.getenv("COSAFS_BEARER"),
		Anonymous: p.cfg.Anonymous, Timeout: p.cfg.Timeout,
		ACL: o.acl, StatePrefix: o.statePrefix, SinglePublisher: o.singlePublisher,
		JournalDir: filepath.Join(daemon.StateDir(p.home()), "uploads"),
	})
	return openStore{s, p.storeName(url)}, err
}

// endpoint is where S3 is, if the environment or an option says so.
func (p *program) endpoint() string {
	return cmp.Or(p.cfg.Endpoint, p.getenv("AWS_ENDPOINT_URL_S3"), p.getenv("AWS_ENDPOINT_URL"))
}

// storeName is a store as people see it. One bucket's name means different
// things at different servers.
func (p *program) storeName(url string) string { return stores.Name(url, p.endpoint()) }

// withStore opens the store at url for the time of do.
func (p *program) withStore(ctx context.Context, url string, o storeOptions, do func(openStore) error) error {
	s, err := p.openStore(ctx, url, o)
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.store.Close())
}
