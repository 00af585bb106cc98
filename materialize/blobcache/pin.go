package blobcache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Pin has an object never evicted, or ends that. It holds across restarts, and
// does not need the object to be there: what comes later is pinned then.
func (c *Cache) Pin(o Object, pinned bool) error {
	if err := c.setPinned(keyOf(o.ID), pinned); err != nil {
		return fmt.Errorf("pin %s: %w", o.Name, err)
	}
	return nil
}

// setPinned makes or removes the file that stands for a pin.
func (c *Cache) setPinned(key string, pinned bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errClosed
	}
	path := filepath.Join(c.objectDir(), key+pinSuffix)
	if !pinned {
		delete(c.pinned, key)
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	c.pinned[key] = true
	return errors.Join(f.Close(), syncDir(c.objectDir()))
}

func (c *Cache) isPinned(e *entry) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pinned[e.key]
}
