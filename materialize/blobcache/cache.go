package blobcache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// saveInterval is how long fetched bytes may be lost by a crash, at most: then
// they are brought to the disk and recorded.
const saveInterval = 2 * time.Second

// A Cache holds objects in a directory. It is safe for concurrent use.
//
// Locks, in the order in which they are taken: room, entry.load, object.saving,
// object.copying, object.mu, then one of mu and prefetcher.mu. None is held while
// an Origin or another callback runs.
type Cache struct {
	cfg    Config
	lock   *os.File
	ctx    context.Context // ends with the cache; fetches outlive those who asked
	cancel context.CancelCauseFunc
	begun  time.Time
	wg     sync.WaitGroup // all goroutines
	ahead  *prefetcher
	room   sync.Mutex // held while space is made

	noHoles atomic.Bool // the file system can't make holes

	mu      sync.Mutex
	closed  bool
	entries map[string]*entry
	pinned  map[string]bool
	active  map[*object]bool // objects with open files
	making  map[string]*production
	spoiled map[string]spoil
	bytes   int64 // of all entries
	pending int64 // reserved of it and not written yet
	trash   int   // files thrown away so far
	changed chan struct{}
	idle    chan struct{} // closed when an entry lost its last user
}

// Open opens the cache of a directory and removes what an unclean stop left. One
// process has it at a time; another gets fs.ErrExist, wrapped. Values of ctx stay
// with all fetches, its end does not matter.
func Open(ctx context.Context, cfg Config) (*Cache, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Cache{
		cfg: cfg, begun: time.Now(), entries: map[string]*entry{}, pinned: map[string]bool{},
		active: map[*object]bool{}, spoiled: map[string]spoil{}, making: map[string]*production{}, changed: make(chan struct{}), idle: make(chan struct{}),
	}
	if err := c.lockDir(); err != nil {
		return nil, fmt.Errorf("open cache %s: %w", cfg.Dir, err)
	}
	if err := c.scan(); err != nil {
		return nil, errors.Join(fmt.Errorf("open cache %s: %w", cfg.Dir, err), c.lock.Close())
	}
	c.ctx, c.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	c.ahead = newPrefetcher(c, cfg.Parallel)
	c.spawn(c.keep)
	return c, nil
}

// lockDir makes the directory and keeps other processes out of it. The kernel
// takes the lock away with the process, however that ends.
func (c *Cache) lockDir() error {
	for _, dir := range []string{c.objectDir(), c.trashDir()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(filepath.Join(c.cfg.Dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		c.lock = f
		return nil
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = fmt.Errorf("another process uses it: %w", fs.ErrExist)
	}
	return errors.Join(err, f.Close())
}

func (c *Cache) objectDir() string { return filepath.Join(c.cfg.Dir, "objects") }
func (c *Cache) trashDir() string  { return filepath.Join(c.cfg.Dir, "trash") }

// spawn runs f in a goroutine that Close waits for; not any more once the cache
// is closed.
func (c *Cache) spawn(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.wg.Go(f)
	}
	return !c.closed
}

// Close ends all fetches and readers, waits for the fetches, and brings what is
// there to the disk. Blobs may be closed after it.
func (c *Cache) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	c.mu.Unlock()
	c.cancel(errClosed)
	for _, o := range c.activeObjects() {
		o.fail(errClosed)
	}
	c.wg.Wait()
	var errs []error
	for _, o := range c.activeObjects() {
		errs = append(errs, o.seal(), o.close())
	}
	return errors.Join(append(errs, c.lock.Close())...)
}

// keep saves what was fetched, and closes the files of objects that nobody uses.
func (c *Cache) keep() {
	tick := time.NewTicker(saveInterval)
	defer tick.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-tick.C:
		}
		for _, o := range c.activeObjects() {
			o.saveOrDrop()
			c.retire(o)
		}
	}
}

func (c *Cache) activeObjects() []*object {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]*object, 0, len(c.active))
	for o := range c.active {
		list = append(list, o)
	}
	return list
}

// Get gives an object that is fetched from its origin as it is read. It asks the
// origin for nothing, but with VerifyOpen for all of it.
func (c *Cache) Get(ctx context.Context, want Object, from Origin) (*Blob, error) {
	o, err := c.acquire(want, from)
	if err != nil {
		return nil, err
	}
	if c.cfg.Verify == VerifyOpen {
		if err := o.fill(ctx, nil); err != nil {
			c.release(o.entry)
			return nil, err
		}
	}
	return newBlob(o), nil
}

// A State is how much of an object is there.
type State struct {
	Present          int64 // bytes
	Complete, Pinned bool  // Complete: all bytes, and the sha256 is right
}

// State says what is there of the object with that ID. It reads memory only.
func (c *Cache) State(id string) State {
	key := keyOf(id)
	c.mu.Lock()
	defer c.mu.Unlock()
	st := State{Pinned: c.pinned[key]}
	if e := c.entries[key]; e != nil {
		st.Complete = e.complete
		st.Present = e.present.Load()
	}
	return st
}

// Changed is closed when some object's Complete is another than at the time of
// the call.
func (c *Cache) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

// A Usage is what the cache takes.
type Usage struct {
	Bytes   int64 // on disk, with what is reserved for running fetches
	Quota   int64 // bytes
	Pinned  int64 // bytes of pinned objects
	Objects int
}

// Usage says what the cache takes. It reads memory only.
func (c *Cache) Usage() Usage {
	c.mu.Lock()
	defer c.mu.Unlock()
	u := Usage{Bytes: c.bytes, Quota: c.cfg.Quota, Objects: len(c.entries)}
	for key := range c.pinned {
		if e := c.entries[key]; e != nil {
			u.Pinned += e.bytes
		}
	}
	return u
}
