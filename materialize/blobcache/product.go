package blobcache

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"time"
)

// bookStep is how many bytes a product books at once.
const bookStep = 4 << 20

// A product is a derived object while it is written, in a file that nobody else
// sees. Granules of zeros become holes.
type product struct {
	c      *Cache
	want   Object
	entry  *entry // not in the cache yet
	f      *os.File
	buf    []byte // the granule that is being filled
	crcs   map[int]uint32
	size   int64 // bytes written so far
	booked int64 // reserved and not written
	sum    hash.Hash
	placed bool // it is in the cache
}

var _ io.Writer = (*product)(nil)

func (c *Cache) newProduct(want Object) (*product, error) {
	key := keyOf(want.ID)
	f, err := os.CreateTemp(c.objectDir(), key+".*"+tempSuffix)
	if err != nil {
		return nil, err
	}
	return &product{
		c: c, want: want, f: f, buf: make([]byte, 0, granule), crcs: map[int]uint32{}, sum: sha256.New(),
		entry: &entry{key: key, id: sha256.Sum256([]byte(want.ID)), used: time.Now()},
	}, nil
}

// Write takes the next bytes.
func (w *product) Write(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		m := copy(w.buf[len(w.buf):granule], p[n:])
		w.buf = w.buf[:len(w.buf)+m]
		if n += m; len(w.buf) == granule {
			if err := w.flush(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// flush writes the granule in buf.
func (w *product) flush() error {
	off := w.size
	w.size += int64(len(w.buf))
	if w.want.Size >= 0 && w.size > w.want.Size {
		return corruptSize(w.want, w.size)
	}
	w.sum.Write(w.buf)
	w.crcs[int(off/granule)] = checksums(w.buf)[0]
	var err error
	if !bytes.Equal(w.buf, make([]byte, len(w.buf))) {
		err = w.store(off)
	}
	w.buf = w.buf[:0]
	return err
}

// store writes buf into room that was booked.
func (w *product) store(off int64) error {
	n := int64(len(w.buf))
	if w.booked < n {
		more := int64(bookStep)
		if w.want.Size >= 0 {
			more = min(more, w.want.Size-off)
		}
		if err := w.c.reserve(w.entry, more, forWhole, w.want.Name); err != nil {
			return err
		}
		w.booked += more
	}
	if _, err := w.f.WriteAt(w.buf, off); err != nil {
		return diskFailure(w.want.Name, err)
	}
	w.booked -= n
	w.c.arrived(w.entry, n)
	return nil
}

// corruptSize says that a derived object has another size than it should.
func corruptSize(want Object, got int64) error {
	return corruptFailure(want.Name, fmt.Sprintf("of %d bytes or more", got), fmt.Sprintf("of %d bytes", want.Size))
}

// finish writes the rest, and checks that all is as it should be.
func (w *product) finish() error {
	if len(w.buf) > 0 {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if w.want.Size >= 0 && w.size != w.want.Size {
		return corruptSize(w.want, w.size)
	}
	got := hex.EncodeToString(w.sum.Sum(nil))
	if w.want.SHA256 != "" && w.want.SHA256 != got {
		return corruptFailure(w.want.Name, got, w.want.SHA256)
	}
	if err := w.f.Truncate(w.size); err != nil {
		return err
	}
	return w.f.Sync()
}

// discard removes the file if it was not put into the cache, and the booking of
// what was not written.
func (w *product) discard() {
	w.c.unreserve(w.entry, w.booked)
	if w.placed {
		return
	}
	w.c.freed(w.entry, w.entry.bytes)
	if err := errors.Join(w.f.Close(), os.Remove(w.f.Name())); err != nil {
		w.c.cfg.Logger.Warn("remove what was not finished", "object", w.want.Name, "err", err)
	}
}

// adopt makes a finished product an object of the cache, instead of what was there
// under its ID.
func (c *Cache) adopt(w *product) error {
	c.mu.Lock()
	old := c.entries[w.entry.key]
	var files []string
	if old != nil {
		files = c.remove(old)
	}
	c.mu.Unlock()
	c.burn(files)
	if old != nil {
		c.closeFiles(old)
	}
	m, err := c.place(w)
	w.placed = err == nil
	if err != nil {
		return err
	}
	c.mu.Lock()
	w.entry.complete, w.entry.size = true, w.size
	w.entry.present.Store(w.size)
	c.entries[w.entry.key] = w.entry
	c.notify()
	c.mu.Unlock()
	return errors.Join(m.Close(), w.f.Close())
}

// place gives the product's files their names; the map, which makes it an object,
// last.
func (c *Cache) place(w *product) (*mapFile, error) {
	st, err := w.f.Stat()
	if err != nil {
		return nil, err
	}
	h := newHeader(w.entry.id, w.size)
	h.ModTime = st.ModTime().UnixNano()
	w.sum.Sum(h.SHA256[:0])
	if err := os.Rename(w.f.Name(), c.dataPath(w.entry.key)); err != nil {
		return nil, err
	}
	return c.writeMap(w.entry.key, h, func(m *mapFile) error { return m.record(w.crcs, nil) })
}
