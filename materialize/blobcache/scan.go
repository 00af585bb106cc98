package blobcache

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Names of an object's files are its key and one of these.
const (
	dataSuffix = ".data"
	mapSuffix  = ".map"
	tempSuffix = ".tmp"
	pinSuffix  = ".pin"
)

// scan learns what the directory holds, and removes what can't be used: data
// without a map, maps that are damaged, work that was not finished.
func (c *Cache) scan() error {
	if err := c.emptyTrash(); err != nil {
		return err
	}
	files, err := os.ReadDir(c.objectDir())
	if err != nil {
		return err
	}
	for _, f := range files {
		key, suffix := splitName(f.Name())
		switch suffix {
		case pinSuffix:
			c.pinned[key] = true
		case mapSuffix:
			err = c.scanObject(key)
		case tempSuffix:
			err = os.Remove(filepath.Join(c.objectDir(), f.Name()))
		}
		if err != nil {
			return err
		}
	}
	return c.sweep(files)
}

// splitName splits a file's name into key and suffix; it gives no suffix for
// files that are not ours.
func splitName(name string) (key, suffix string) {
	suffix = filepath.Ext(name)
	key = strings.TrimSuffix(name, suffix)
	if suffix == tempSuffix {
		return key, suffix
	}
	if raw, err := hex.DecodeString(key); err != nil || len(raw) != 32 {
		return "", ""
	}
	return key, suffix
}

func (c *Cache) emptyTrash() error {
	files, err := os.ReadDir(c.trashDir())
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := os.Remove(filepath.Join(c.trashDir(), f.Name())); err != nil {
			return err
		}
	}
	return nil
}

// scanObject makes the entry of a map file, or removes it.
func (c *Cache) scanObject(key string) error {
	m, cl, err := openMap(c.mapPath(key))
	switch {
	case errors.Is(err, errMap):
		c.cfg.Logger.Warn("damaged map of a cached object", "key", key, "err", err)
		return os.Remove(c.mapPath(key))
	case err != nil:
		return err
	}
	defer m.Close() //nolint:errcheck // nothing was written
	st, err := m.Stat()
	if err != nil {
		return err
	}
	e := &entry{key: key, id: cl.ID, size: cl.Size, used: st.ModTime(), complete: cl.clean && cl.untouched(c.dataPath(key))}
	if hex.EncodeToString(cl.ID[:]) != key {
		return os.Remove(c.mapPath(key))
	}
	if !cl.clean {
		if err := c.trim(key, cl); err != nil && !errors.Is(err, fs.ErrNotExist) {
			c.cfg.Logger.Warn("trim a cached object", "key", key, "err", err)
		}
	}
	e.bytes = bytesOf(cl.bits, cl.Size)
	e.present.Store(e.bytes)
	c.entries[key] = e
	c.bytes += e.bytes
	return nil
}

// trim frees what a crash left in a data file beyond what its map claims.
func (c *Cache) trim(key string, cl claim) error {
	f, err := os.OpenFile(c.dataPath(key), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	n := granules(cl.Size)
	for lo := 0; lo < n && err == nil; lo++ {
		hi := lo
		for hi < n && !cl.bits.get(hi) {
			hi++
		}
		if hi > lo {
			err = punch(f, int64(lo)*granule, int64(hi-lo)*granule)
			lo = hi
		}
	}
	return errors.Join(err, f.Close())
}

// bytesOf is how many bytes the granules of an object of that size hold.
func bytesOf(bits bitmap, size int64) int64 {
	n := int64(bits.count()) * granule
	if last := granules(size) - 1; last >= 0 && bits.get(last) {
		n -= int64(last+1)*granule - size
	}
	return n
}

// sweep removes data files that no entry has.
func (c *Cache) sweep(files []os.DirEntry) error {
	for _, f := range files {
		key, suffix := splitName(f.Name())
		if suffix != dataSuffix || c.entries[key] != nil {
			continue
		}
		if err := os.Remove(filepath.Join(c.objectDir(), f.Name())); err != nil {
			return err
		}
	}
	return nil
}
