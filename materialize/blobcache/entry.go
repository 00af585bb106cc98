package blobcache

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// An entry is what is always in memory of an object.
type entry struct {
	key     string            // names its files
	id      [sha256.Size]byte // of Object.ID
	present atomic.Int64      // bytes

	load   sync.Mutex // held while the files are opened or closed
	object *object    // guarded by load; nil while nobody uses it

	// Guarded by Cache.mu.
	size     int64 // bytes; negative while unknown
	bytes    int64 // on disk or reserved
	complete bool
	gone     bool      // removed from the cache; a new Get makes a new entry
	users    int       // blobs, fetches, and others that need the files
	working  int       // those of them that end by themselves: fetches and the like
	stuck    int       // those of working that wait for room
	used     time.Time // when the last of them left
}

// errGone means that an entry was removed while somebody waited for it.
var errGone = errors.New("removed from the cache")

// keyOf names the files of the object with that ID.
func keyOf(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:])
}

// check refuses objects that can't be.
func (o Object) check() error {
	if o.ID == "" || o.Size < 0 || o.Size > maxSize {
		return fmt.Errorf("cache %q of %d bytes: %w", o.Name, o.Size, fs.ErrInvalid)
	}
	_, err := o.digest()
	return err
}

// digest gives the sha256, zero where it isn't known.
func (o Object) digest() (sum [sha256.Size]byte, err error) {
	if o.SHA256 == "" {
		return sum, nil
	}
	b, err := hex.DecodeString(o.SHA256)
	if err != nil || copy(sum[:], b) != len(sum) || len(b) != len(sum) {
		return sum, fmt.Errorf("cache %s: sha256 %q: %w", o.Name, o.SHA256, fs.ErrInvalid)
	}
	return sum, nil
}

// acquire gives the object with its files open, and has its entry stay until
// release.
func (c *Cache) acquire(want Object, from Origin) (*object, error) {
	if err := want.check(); err != nil {
		return nil, err
	}
	for {
		e, err := c.enter(want)
		if err != nil {
			return nil, err
		}
		o, err := c.load(e, want, from)
		if err == nil {
			return o, nil
		}
		c.release(e)
		if !errors.Is(err, errGone) {
			return nil, err
		}
	}
}

// enter gives the entry of an object, a new one if need be, with one more user.
func (c *Cache) enter(want Object) (*entry, error) {
	key := keyOf(want.ID)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errClosed
	}
	if err := c.spoiledNow(key); err != nil {
		return nil, err
	}
	e := c.entries[key]
	if e == nil {
		e = &entry{key: key, id: sha256.Sum256([]byte(want.ID)), size: want.Size}
		c.entries[key] = e
	}
	e.users++
	return e, nil
}

// release takes back one acquire or enter. An entry of which nothing is there
// is forgotten when its files are closed.
func (c *Cache) release(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leave(e)
}

// retain adds a user that ends by itself to an entry that has one; rest takes it
// back.
func (c *Cache) retain(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.users++
	e.working++
}

func (c *Cache) rest(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.working--
	c.leave(e)
}

// leave takes a user away. The caller holds c.mu.
func (c *Cache) leave(e *entry) {
	e.used = time.Now()
	if e.users--; e.users == 0 {
		close(c.idle)
		c.idle = make(chan struct{})
	}
}

// load opens the files of an entry, unless they are open.
func (c *Cache) load(e *entry, want Object, from Origin) (*object, error) {
	e.load.Lock()
	defer e.load.Unlock()
	if c.isGone(e) {
		return nil, errGone
	}
	if o := e.object; o != nil {
		return o, o.join(want, from)
	}
	o, err := c.activate(e, want, from)
	if err != nil {
		return nil, diskFailure(want.Name, fmt.Errorf("open the cached %s: %w", want.Name, err))
	}
	c.mu.Lock()
	c.active[o] = true
	c.mu.Unlock()
	e.object = o
	return o, nil
}

func (c *Cache) isGone(e *entry) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return e.gone
}

// retire closes the files of an object that nobody uses any more.
func (c *Cache) retire(o *object) {
	e := o.entry
	e.load.Lock()
	defer e.load.Unlock()
	c.mu.Lock()
	idle := e.users == 0
	var files []string
	if idle {
		delete(c.active, o)
		if e.bytes == 0 && !e.complete {
			files = c.remove(e)
		}
	}
	c.mu.Unlock()
	if !idle {
		return
	}
	c.burn(files)
	if err := errors.Join(o.seal(), o.close()); err != nil {
		c.cfg.Logger.Warn("close a cached object", "object", o.want.Name, "err", err)
	}
	if e.object == o {
		e.object = nil
	}
	c.touchFile(e)
}

// touchFile remembers across restarts when an entry was used last.
func (c *Cache) touchFile(e *entry) {
	c.mu.Lock()
	used, gone := e.used, e.gone
	c.mu.Unlock()
	if gone {
		return
	}
	if err := os.Chtimes(c.mapPath(e.key), time.Time{}, used); err != nil {
		c.cfg.Logger.Debug("remember the last use", "err", err)
	}
}

func (c *Cache) mapPath(key string) string  { return filepath.Join(c.objectDir(), key+mapSuffix) }
func (c *Cache) dataPath(key string) string { return filepath.Join(c.objectDir(), key+dataSuffix) }

// setComplete says whether all of an entry is there and verified.
func (c *Cache) setComplete(e *entry, complete bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.complete == complete {
		return
	}
	e.complete = complete
	c.notify()
}

// notify wakes who waits for Changed. The caller holds c.mu.
func (c *Cache) notify() {
	close(c.changed)
	c.changed = make(chan struct{})
}
