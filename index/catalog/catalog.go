// Package catalog is a persistent index over stores of builds: what listing,
// showing and looking up builds needs, so that none of it asks a store.
//
// It is a cache of the truth in the stores. [Catalog.Sync] brings it up to date;
// after damage or a change of its format it starts empty, and the next Sync
// fills it. A database (badger) holds small records, not the documents; its
// layout is told in keys.go. One directory serves one process at a time.
//
// # Damage
//
// Every value has a checksum that covers its key, a record names the checksums of
// those below it, and a sum over everything tells whether records were lost (see
// writer). So an answer is right, or it is an error; then the directory is dropped.
package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/dgraph-io/badger/v4"
)

// Config says where a catalog is kept.
type Config struct {
	Dir    string       // made if need be
	Logger *slog.Logger // nil: nothing is logged
}

// ErrDamaged means that the index could not be read. It has been dropped by then:
// the next [Catalog.Sync] of each store fills it again.
var ErrDamaged = errors.New("the index is damaged")

// A Catalog is an open index. It is safe for concurrent use.
type Catalog struct {
	dir  string
	log  *slog.Logger
	lock *os.File

	writing sync.Mutex // one transaction writes at a time: all of them change the sum

	mu sync.RWMutex // held for reading while the database is used, below writing
	db *badger.DB   // guarded by mu; nil once closed, or when it can't be opened anew

	syncs turnstile
}

// Open opens the catalog in cfg.Dir. One that is damaged or of another format is
// dropped, which the log tells. A directory that another process has open is
// [fs.ErrExist].
func Open(ctx context.Context, cfg Config) (*Catalog, error) {
	c := &Catalog{dir: cfg.Dir, log: cfg.Logger}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	err := os.MkdirAll(cfg.Dir, 0o755)
	if err == nil {
		c.lock, err = lockDir(cfg.Dir)
	}
	if err == nil {
		if err = c.start(ctx.Err); err != nil {
			err = errors.Join(err, c.lock.Close())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open the index in %s: %w", cfg.Dir, err)
	}
	return c, nil
}

// Close waits for what is running and closes the files. It is called once, and no
// method after it.
func (c *Catalog) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var err error
	if c.db != nil {
		if err = c.db.Close(); err == nil {
			err = seal(c.dir)
		}
		c.db = nil
	}
	return errors.Join(err, c.lock.Close())
}

// Forget drops all that is known of a store. A store that is not known is no error.
func (c *Catalog) Forget(store string) error {
	leave, err := c.syncs.enter(nil, store)
	if err != nil {
		return err
	}
	defer leave()
	num, err := c.number(store)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	// What names other records goes first, so that a kill leaves nothing that is
	// half there.
	for _, kind := range []byte{kindState, kindBuild, kindArch, kindCommit, kindDigest, kindPackage, kindKnown, kindText, kindRefs} {
		if err := c.deleteAll(storeKey(kind, num)); err != nil {
			return fmt.Errorf("forget %s: %w", store, err)
		}
	}
	return c.update(func(w *writer) error { return w.del(nameKey(store)) })
}

// deleteAll deletes the records below a prefix, some at a time: a transaction has
// to fit into memory.
func (c *Catalog) deleteAll(prefix []byte) error {
	const batch = 1000
	for {
		left := false
		err := c.update(func(w *writer) error {
			keys, err := w.keys(prefix, batch)
			left = len(keys) == batch
			for _, key := range keys {
				if err == nil {
					err = w.del(key)
				}
			}
			return err
		})
		if err != nil || !left {
			return err
		}
	}
}

// number gives a store's number, under which its records are. fs.ErrNotExist for a
// store that was never synced.
func (c *Catalog) number(store string) (num uint16, err error) {
	err = c.view(func(r reader) error {
		num, err = r.number(store)
		return err
	})
	return num, err
}

// path gives the name of a file of the catalog's own.
func (c *Catalog) path(name string) string { return filepath.Join(c.dir, name) }
