package blobcache

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// chunk is how many granules of an open object are given up together.
const chunk = 1 << 20 / granule

// tick is the cache's clock for the last use of chunks: milliseconds, which go
// round after 49 days. A wrong order costs a fetch, nothing else.
func (c *Cache) tick() uint32 { return uint32(time.Since(c.begun) / time.Millisecond) }

// touch says that granules were used.
func (o *object) touch(lo, hi int) {
	if o.complete.Load() || lo >= hi {
		return
	}
	now := o.cache.tick()
	for i := lo / chunk; i <= (hi-1)/chunk; i++ {
		if o.touched[i].Load() != now {
			o.touched[i].Store(now)
		}
	}
}

// evict gives up the least recently used of what nobody needs now: an object that
// nobody has open, else a chunk of one that is read. It says whether there was one.
// The caller holds c.room.
func (c *Cache) evict() bool {
	if c.evictWhole() {
		return true
	}
	o, at := c.oldestChunk()
	if o == nil {
		return false
	}
	if err := o.evictChunk(at); err != nil {
		c.cfg.Logger.Warn("free a part of a cached object", "object", o.want.Name, "err", err)
		return false
	}
	return true
}

// evictWhole removes the object that was used longest ago, of those that nobody
// uses and that are not pinned.
func (c *Cache) evictWhole() bool {
	c.mu.Lock()
	var old *entry
	for _, e := range c.entries {
		if e.users == 0 && e.bytes > 0 && !c.pinned[e.key] && (old == nil || e.used.Before(old.used)) {
			old = e
		}
	}
	var files []string
	if old != nil {
		files = c.remove(old)
	}
	c.mu.Unlock()
	if old == nil {
		return false
	}
	c.burn(files)
	c.closeFiles(old)
	return true
}

// closeFiles closes the files of an entry that was removed while they were open,
// so that the disk gets its space back.
func (c *Cache) closeFiles(e *entry) {
	e.load.Lock()
	defer e.load.Unlock()
	o := e.object
	if o == nil {
		return
	}
	e.object = nil
	c.mu.Lock()
	delete(c.active, o)
	c.mu.Unlock()
	o.fail(errGone)
	if err := o.close(); err != nil {
		c.cfg.Logger.Warn("close a removed object", "object", o.want.Name, "err", err)
	}
}

// oldestChunk gives the chunk that was used longest ago, of all that may be given
// up; nil where there is none.
func (c *Cache) oldestChunk() (oldest *object, at int) {
	if c.noHoles.Load() {
		return nil, 0
	}
	now, age := c.tick(), uint32(0)
	for _, o := range c.activeObjects() {
		if c.isPinned(o.entry) {
			continue
		}
		o.mu.Lock()
		idle := o.idleChunks()
		o.mu.Unlock()
		for i := range idle {
			if a := now - o.touched[i].Load(); idle[i] && (oldest == nil || a > age) {
				oldest, at, age = o, i, a
			}
		}
	}
	return oldest, at
}

// idleChunks says of each chunk whether it holds anything and may be given up: no
// reader waits for it, and nobody wants the whole. The caller holds mu.
func (o *object) idleChunks() []bool {
	if o.complete.Load() || o.checking || len(o.fills) > 0 || o.failure != nil {
		return nil
	}
	idle := make([]bool, len(o.touched))
	for g := range o.granules {
		if o.have.get(g) || o.suspect.get(g) {
			idle[g/chunk] = true
		}
	}
	for w := range o.waiters {
		for i := w.lo / chunk; i <= (w.hi-1)/chunk; i++ {
			idle[i] = false
		}
	}
	return idle
}

// evictChunk takes a chunk away, unless somebody came to need it meanwhile.
func (o *object) evictChunk(i int) error {
	if err := o.lockBytes(); err != nil {
		return err
	}
	lo, hi := i*chunk, min((i+1)*chunk, o.granules)
	defer o.copying.Unlock()
	o.mu.Lock()
	var freed int64
	if idle := o.idleChunks(); idle != nil && idle[i] {
		freed = o.clear(lo, hi)
	}
	o.mu.Unlock()
	o.cache.freed(o.entry, freed)
	err := o.punchHole(lo, hi)
	if errors.Is(err, unix.EOPNOTSUPP) {
		o.cache.noHoles.Store(true)
	}
	return err
}

// punchHole gives the disk back what granules took that are not there. The caller
// holds copying, so nobody writes them meanwhile.
func (o *object) punchHole(lo, hi int) error {
	for ; lo < hi; lo++ {
		n := lo
		for n < hi && !o.have.get(n) {
			n++
		}
		if n == lo {
			continue
		}
		if err := punch(o.data, int64(lo)*granule, int64(n-lo)*granule); err != nil {
			return err
		}
		lo = n
	}
	return nil
}

// punch makes a hole. Not every file system can: then only whole objects give space
// back.
func punch(f *os.File, off, n int64) error {
	err := onFd(f, func(fd int) error {
		return unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n)
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EINTR):
		return punch(f, off, n)
	}
	return &os.PathError{Op: "fallocate", Path: f.Name(), Err: err}
}
