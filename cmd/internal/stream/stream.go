// Package stream shows stores (S3, https, directories) as one tree: with the
// catalog, which knows what they hold, and the cache, which holds what was read
// of them. Listing the tree asks no store anything; opening a file moves the
// bytes that are read.
//
// [Stream] is what the program talks to: it is a [webui.Service] for commands,
// and its Library is what doors show. It only reads stores.
package stream

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"cosafs/backend"
	"cosafs/index/catalog"
	"cosafs/materialize"
	"cosafs/materialize/blobcache"
	"cosafs/vfs/webui"
)

// A Source is one store of the tree.
type Source struct {
	Name  string        // its URL as it was given: what people are told, and its name in the catalog and the cache
	Store backend.Store // decorated with [backend.Retry] already; the stream closes it, also if [Open] fails
	// Recheck is how many of the newest builds are looked at again at each sync, if
	// more than usual.
	Recheck int
}

// A Config says which stores, and where to keep what is known of them.
type Config struct {
	Dir     string           // holds catalog/, blobs/ and the state of jobs; losing it costs time only
	Sources []Source         // in order of precedence
	Arch    string           // this machine's RPM basearch
	Refresh time.Duration    // how often [Stream.Watch] asks the stores; 0 = 1 min
	Quota   int64            // bytes of the cache; 0 = its default
	Verify  blobcache.Verify // when sha256 is checked; "" = its default
	Offline bool             // ask no store anything: what is in catalog and cache is all there is
	Version string           // of the program, for status
	Logger  *slog.Logger     // nil = discard
	Linger  time.Duration    // how long a job goes on after its last waiter left
}

// A Stream is an open tree of stores. It is safe for concurrent use. Close it.
type Stream struct {
	cfg     Config
	sources []*source // in order of precedence
	catalog *catalog.Catalog
	cache   *blobcache.Cache
	runner  *materialize.Runner
	seen    *seen
	started time.Time
	syncing chan struct{} // holds one token: who took it asks the stores
	asked   chan struct{} // closed after the first sync

	firstAsked sync.Once // closes asked

	again chan struct{} // tells Watch to ask the stores now; holds one token at most

	refreshing sync.Mutex // one refresh at a time; held while reading the catalog

	mu    sync.Mutex    // guards the fields below; never held while anything is read, and taken after refreshing
	facts *facts        // what the tree shows; never nil
	next  chan struct{} // closed at the next change of facts
}

var (
	_ webui.Service = (*Stream)(nil)
	_ webui.Keeper  = (*Stream)(nil)
)

// Open opens catalog and cache and shows what they know. It asks no store
// anything; see [Stream.Sync] and [Stream.Watch]. One process at a time can have
// a directory open: another one gets fs.ErrExist.
func Open(ctx context.Context, cfg Config) (*Stream, error) {
	cfg, err := cfg.complete()
	s := &Stream{
		cfg: cfg, started: time.Now(), facts: emptyFacts(), next: make(chan struct{}),
		syncing: make(chan struct{}, 1), again: make(chan struct{}, 1), asked: make(chan struct{}),
	}
	if cfg.Offline {
		s.firstAsked.Do(func() { close(s.asked) })
	}
	for _, src := range cfg.Sources {
		s.sources = append(s.sources, newSource(src, cfg.Offline))
	}
	if err == nil {
		err = s.assemble(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close(context.WithoutCancel(ctx)))
	}
	return s, nil
}

// complete checks the configuration and fills in defaults.
func (c Config) complete() (Config, error) {
	if len(c.Sources) == 0 || c.Dir == "" {
		return c, fmt.Errorf("open stores: no store or no directory given: %w", fs.ErrInvalid)
	}
	for i, src := range c.Sources {
		if slices.ContainsFunc(c.Sources[:i], func(o Source) bool { return o.Name == src.Name }) {
			return c, materialize.Fail(materialize.ClassConfig, "open stores", "name each store once",
				materialize.Says(fs.ErrInvalid, "%s is given twice", src.Name))
		}
	}
	if c.Refresh <= 0 {
		c.Refresh = time.Minute
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// assemble opens the parts, in the order in which [Stream.Close] expects them.
func (s *Stream) assemble(ctx context.Context) error {
	err := os.MkdirAll(s.cfg.Dir, 0o755)
	if err != nil {
		return err
	}
	// First the cache: it refuses a directory that another process has.
	if s.cache, err = blobcache.Open(ctx, blobcache.Config{
		Dir: filepath.Join(s.cfg.Dir, "blobs"), Quota: s.cfg.Quota, Verify: s.cfg.Verify, Logger: s.cfg.Logger,
	}); err != nil {
		return err
	}
	if s.catalog, err = catalog.Open(ctx, catalog.Config{Dir: filepath.Join(s.cfg.Dir, "catalog"), Logger: s.cfg.Logger}); err != nil {
		return err
	}
	if s.runner, err = materialize.NewRunner(materialize.RunnerConfig{
		StateDir: filepath.Join(s.cfg.Dir, "state"), ScratchDir: filepath.Join(s.cfg.Dir, "tmp"), Log: s.cfg.Logger,
	}); err != nil {
		return err
	}
	if _, err := s.runner.Recover(ctx); err != nil {
		return fmt.Errorf("clean up after a killed process: %w", err)
	}
	if s.seen, err = openSeen(filepath.Join(s.cfg.Dir, "seen.jsonl")); err != nil {
		return err
	}
	return s.refresh(ctx)
}

// Close ends every job, waits for them, and closes the stores. Call it when
// [Stream.Watch] and [Stream.Sync] have returned and all blobs are closed.
func (s *Stream) Close(ctx context.Context) error {
	var errs []error
	if s.runner != nil {
		errs = append(errs, s.runner.Close(ctx))
	}
	if s.seen != nil {
		errs = append(errs, s.seen.Close())
	}
	if s.catalog != nil {
		errs = append(errs, s.catalog.Close())
	}
	if s.cache != nil {
		errs = append(errs, s.cache.Close())
	}
	for _, src := range s.sources {
		errs = append(errs, src.store.Close())
	}
	return errors.Join(errs...)
}
