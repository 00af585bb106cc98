package blobcache

import (
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
)

// commit records that the object is complete and has that sha256, unless granules
// were taken away since so many losses. The map file is replaced as a whole.
func (o *object) commit(sum [sha256.Size]byte, losses int) error {
	// Not fdatasync: the time must be on the disk as well.
	if err := o.data.Sync(); err != nil {
		return diskFailure(o.want.Name, err)
	}
	o.saving.Lock()
	defer o.saving.Unlock()
	o.copying.RLock() // nothing is taken away meanwhile
	defer o.copying.RUnlock()
	if !o.whole(losses) {
		return nil
	}
	st, err := o.data.Stat()
	if err != nil {
		return err
	}
	h := newHeader(o.entry.id, o.want.Size)
	h.SHA256, h.ModTime = sum, st.ModTime().UnixNano()
	old := o.maps
	m, err := o.cache.writeMap(o.entry.key, h, func(m *mapFile) error { return m.copyCRCs(old) })
	if err != nil {
		return diskFailure(o.want.Name, err)
	}
	o.maps = m
	o.dirty.Store(false)
	o.mu.Lock()
	current := o.digest == sum // or somebody brought another one, see join
	o.complete.Store(current)
	o.mu.Unlock()
	o.cache.setComplete(o.entry, current)
	return old.Close()
}

// whole says whether all granules are there, and none was replaced since.
func (o *object) whole(losses int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.missing == 0 && o.losses == losses && o.suspect.count() == 0
}

// writeMap makes the map file of a complete object, whose checksums crcs writes, and
// puts it in its place.
func (c *Cache) writeMap(key string, h header, crcs func(m *mapFile) error) (*mapFile, error) {
	temp := filepath.Join(c.objectDir(), key+tempSuffix)
	m, err := createMap(temp, h)
	if err != nil {
		return nil, err
	}
	if err = crcs(m); err == nil {
		err = m.setAll()
	}
	if err == nil {
		err = m.clean()
	}
	if err == nil {
		err = os.Rename(temp, c.mapPath(key))
	}
	if err == nil {
		err = syncDir(c.objectDir())
	}
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}
