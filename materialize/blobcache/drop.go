package blobcache

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"
)

// spoilTime is how long an object that came with wrong bytes twice is not fetched
// again. Not for long: the bytes may be right in the store and wrong on their way.
const spoilTime = 30 * time.Second

// A spoil is the error of an object that has the wrong bytes.
type spoil struct {
	err   error
	until time.Time
}

// spoiledNow gives the error of an object that was found spoiled lately. The
// caller holds c.mu.
func (c *Cache) spoiledNow(key string) error {
	s, ok := c.spoiled[key]
	if !ok || time.Now().After(s.until) {
		return nil
	}
	return s.err
}

// spoil drops an object and remembers that fetching it again is of no use.
func (c *Cache) spoil(o *object, err error) {
	now := time.Now()
	c.mu.Lock()
	maps.DeleteFunc(c.spoiled, func(_ string, s spoil) bool { return now.After(s.until) })
	c.spoiled[o.entry.key] = spoil{err, now.Add(spoilTime)}
	c.mu.Unlock()
	c.drop(o, err)
}

// drop removes an object that has users: they get err from now on.
func (c *Cache) drop(o *object, err error) {
	o.fail(err)
	c.mu.Lock()
	files := c.remove(o.entry)
	c.mu.Unlock()
	c.burn(files)
}

// remove takes an entry out of the cache, and gives its files to burn. The caller
// holds c.mu. The map goes first: a data file without one is swept at the start.
func (c *Cache) remove(e *entry) []string {
	if e.gone {
		return nil
	}
	e.gone = true
	c.bytes -= e.bytes
	e.bytes = 0
	if c.entries[e.key] == e {
		delete(c.entries, e.key)
	}
	if e.complete {
		e.complete = false
		c.notify()
	}
	return append(c.discard(c.mapPath(e.key)), c.discard(c.dataPath(e.key))...)
}

// discard moves a file out of the way, which is quick, to be removed, which may
// take long. The caller holds c.mu.
func (c *Cache) discard(path string) []string {
	c.trash++
	to := filepath.Join(c.trashDir(), fmt.Sprint(c.trash))
	if err := os.Rename(path, to); err != nil {
		if !os.IsNotExist(err) {
			c.cfg.Logger.Warn("remove a cached object", "err", err)
		}
		return nil
	}
	return []string{to}
}

// burn removes what discard gave.
func (c *Cache) burn(files []string) {
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			c.cfg.Logger.Warn("remove a cached object", "err", err)
		}
	}
}

// supersede drops an object of which the origin has another version now: nobody
// will ever ask for this one again.
func (c *Cache) supersede(o *object, err error) {
	c.drop(o, err)
	if err := c.setPinned(o.entry.key, false); err != nil {
		c.cfg.Logger.Warn("unpin an object that was replaced", "object", o.want.Name, "err", err)
	}
}
