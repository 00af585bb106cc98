package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cosafs/backend/dirstore"
	"cosafs/cmd/internal/daemon"
	"cosafs/cmd/internal/overlay"
	"cosafs/cmd/internal/stream"
	"cosafs/materialize/blobcache"
	"cosafs/vfs"
	"cosafs/vfs/webui"
)

// A tree is what commands and doors work on: a build directory, stores, or the
// one over the others.
type tree interface {
	daemon.Backend
	// Library gives facts and bytes for doors.
	Library() vfs.Library
	// Watch follows what changes, until ctx ends.
	Watch(ctx context.Context)
	// Asked is closed when every store was asked once.
	Asked() <-chan struct{}
}

var (
	_ tree = (*stream.Stream)(nil)
	_ tree = (*overlay.Tree)(nil)
	_ tree = (*overlay.Alone)(nil)
)

// storesOnly says whether stores are shown without a build directory: they were
// named, and no directory was. One that merely lies around is not meant.
func (p *program) storesOnly() bool { return len(p.cfg.Stores) > 0 && !p.cfg.named }

// home is the directory that stands for the tree: its daemon, and where its state
// is kept.
func (p *program) home() string {
	if p.storesOnly() {
		return daemon.StoresDir(p.storeNames())
	}
	return p.cfg.Workdir
}

func (p *program) storeNames() []string {
	names := make([]string, len(p.cfg.Stores))
	for i, url := range p.cfg.Stores {
		names[i] = p.storeName(url)
	}
	return names
}

// checkHome refuses to work where there is no tree.
func (p *program) checkHome() error {
	if !p.storesOnly() {
		return p.checkWorkdir()
	}
	if err := os.MkdirAll(p.home(), 0o700); err != nil {
		return hintf(fmt.Errorf("keep an index of the stores: %w", err), "set XDG_CACHE_HOME to a directory that you may write to")
	}
	return nil
}

// open opens the tree. Nothing is asked of a store.
func (p *program) open(ctx context.Context, log *slog.Logger) (tree, error) {
	if p.storesOnly() {
		return p.openStream(ctx, log)
	}
	wd, err := p.openWorkdir(ctx, log)
	if err != nil {
		return nil, err
	}
	search := func(ctx context.Context) (*stream.Stream, error) { return p.openSearch(ctx, log) }
	if len(p.cfg.Stores) == 0 {
		return overlay.NewAlone(wd, search), nil
	}
	s, err := p.openStream(ctx, log)
	if err != nil {
		return nil, errors.Join(err, wd.Close(context.WithoutCancel(ctx)))
	}
	return overlay.New(ctx, wd, s, search), nil
}

// openStream opens the stores.
func (p *program) openStream(ctx context.Context, log *slog.Logger) (*stream.Stream, error) {
	var sources []stream.Source
	for _, url := range p.cfg.Stores {
		s, err := p.openStore(ctx, url, storeOptions{})
		if err != nil {
			return nil, errors.Join(err, closeSources(sources))
		}
		sources = append(sources, stream.Source{Name: s.name, Store: s.store})
	}
	return stream.Open(ctx, stream.Config{
		Dir: daemon.StateDir(p.home()), Sources: sources, Arch: p.arch(),
		Refresh: p.cfg.Refresh, Quota: p.cfg.CacheSize, Verify: blobcache.Verify(p.cfg.VerifyWhen), Offline: p.cfg.Offline,
		Linger: p.cfg.Linger, Version: version(), Logger: log,
	})
}

// openSearch opens the build directory as if it were a store, for what is asked
// of all builds at once. Everything in it is looked at again each time: that is
// cheap here.
func (p *program) openSearch(ctx context.Context, log *slog.Logger) (*stream.Stream, error) {
	dir, err := dirstore.Open(dirstore.Config{Dir: filepath.Join(p.cfg.Workdir, "builds")})
	if err != nil {
		return nil, err
	}
	return stream.Open(ctx, stream.Config{
		Dir:     filepath.Join(daemon.StateDir(p.cfg.Workdir), "search"),
		Sources: []stream.Source{{Name: "workdir", Store: dir, Recheck: math.MaxInt32}},
		Arch:    p.arch(), Version: version(), Logger: log,
	})
}

func closeSources(sources []stream.Source) error {
	var err error
	for _, s := range sources {
		err = errors.Join(err, s.Store.Close())
	}
	return err
}

// How long a command waits for another one's turn with the index.
const (
	indexTime = 10 * time.Second
	indexPoll = 100 * time.Millisecond
)

// connect gives the tree's daemon where one runs, else the tree itself. Of several
// commands without a daemon one has the index at a time.
func (p *program) connect(ctx context.Context) (webui.Service, func() error, error) {
	turn, cancel := context.WithTimeout(ctx, indexTime)
	defer cancel()
	tick := time.NewTicker(indexPoll)
	defer tick.Stop()
	for {
		s, done, err := p.tryConnect(ctx)
		if !errors.Is(err, fs.ErrExist) {
			return s, done, err
		}
		select {
		case <-tick.C:
		case <-turn.Done():
			return nil, nil, hintf(err, "another cosafs command has the index: wait for it, or cosafs mount once: its daemon serves all")
		}
	}
}

func (p *program) tryConnect(ctx context.Context) (webui.Service, func() error, error) {
	c, err := p.dial(ctx)
	if err == nil {
		return c, func() error { c.Close(); return nil }, nil
	}
	if !errors.Is(err, webui.ErrNoDaemon) {
		return nil, nil, err
	}
	t, err := p.open(ctx, p.logger(slog.LevelError)) // what matters comes back as an error; -v shows the rest
	if err != nil {
		return nil, nil, err
	}
	return t, func() error { return closeDetached(ctx, t) }, nil
}

// dial gives a client of the tree's daemon, unless that shows other stores.
func (p *program) dial(ctx context.Context) (*webui.Client, error) {
	c, st, err := p.runtime().Dial(ctx, p.home())
	if err != nil {
		return nil, err
	}
	if err := p.checkStores(st); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// checkStores refuses a daemon that shows other stores than were asked for.
func (p *program) checkStores(st webui.Status) error {
	var names []string
	for _, s := range st.Stores {
		names = append(names, s.Name)
	}
	if want := p.storeNames(); len(want) > 0 && !slices.Equal(want, names) {
		shown := strings.Join(names, " ")
		if shown == "" {
			shown = "no stores"
		}
		return hintf(fmt.Errorf("the daemon (pid %d) shows %s: %w", st.PID, shown, fs.ErrInvalid), "cosafs umount its mounts first: cosafs status lists them")
	}
	return nil
}
