package blobcache

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
)

// activate opens the files of an entry, or makes them. The caller holds e.load.
func (c *Cache) activate(e *entry, want Object, from Origin) (*object, error) {
	digest, err := want.digest()
	if err != nil {
		return nil, err
	}
	m, cl, err := openMap(c.mapPath(e.key))
	if err == nil && cl.Size != want.Size {
		err = errors.Join(fmt.Errorf("it has %d bytes, not %d: %w", cl.Size, want.Size, errMap), m.Close())
	}
	if err != nil {
		return c.create(e, want, from, digest, err)
	}
	data, err := os.OpenFile(c.dataPath(e.key), os.O_RDWR, 0)
	if err != nil {
		return c.create(e, want, from, digest, errors.Join(err, m.Close()))
	}
	o := c.newObject(e, want, from, digest)
	o.data, o.maps = data, m
	o.dirty.Store(!cl.clean)
	return o, o.believe(cl)
}

// create makes the files of an object of which nothing is there; why says what
// was wrong with those that were, if there were any.
func (c *Cache) create(e *entry, want Object, from Origin, digest [sha256.Size]byte, why error) (*object, error) {
	if !errors.Is(why, fs.ErrNotExist) {
		c.cfg.Logger.Warn("cached object is fetched anew", "object", want.Name, "err", why)
	}
	c.reset(e, want.Size)
	data, err := os.OpenFile(c.dataPath(e.key), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	o := c.newObject(e, want, from, digest)
	o.data, o.missing = data, o.granules
	o.dirty.Store(true)
	if err = data.Truncate(want.Size); err == nil {
		o.maps, err = createMap(c.mapPath(e.key), newHeader(e.id, want.Size))
	}
	if err != nil {
		return nil, errors.Join(err, data.Close())
	}
	o.finishWhenAll() // an object without bytes is complete
	return o, nil
}

// reset makes an entry one of which nothing is there.
func (c *Cache) reset(e *entry, size int64) {
	c.setComplete(e, false)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes -= e.bytes
	e.bytes, e.size = 0, size
	e.present.Store(0)
}

func (c *Cache) newObject(e *entry, want Object, from Origin, digest [sha256.Size]byte) *object {
	n := granules(want.Size)
	ctx, cancel := context.WithCancelCause(c.ctx)
	return &object{
		cache: c, entry: e, want: want, granules: n, origin: from, digest: digest, ctx: ctx, cancel: cancel,
		have: newBitmap(n), claimed: newBitmap(n), suspect: newBitmap(n), durable: newBitmap(n),
		touched: make([]atomic.Uint32, (n+chunk-1)/chunk),
		waiters: map[*waiter]struct{}{}, fills: map[*fill]struct{}{}, crcs: map[int]uint32{},
	}
}

// believe takes over what a map file claims, as far as it can be believed.
func (o *object) believe(cl claim) error {
	whole := cl.clean && cl.untouched(o.data.Name())
	trusted, err := o.trusts(cl, whole)
	if err == nil && !trusted {
		err = errors.Join(o.soil(), o.data.Truncate(cl.Size))
	}
	if err != nil {
		return errors.Join(err, o.close())
	}
	if trusted {
		o.have = cl.bits
	} else {
		o.suspect = cl.bits
	}
	o.durable = bitmapOf(cl.bits.bytes(), o.granules)
	o.missing = o.granules - cl.bits.count()
	if whole && trusted && (o.digest == cl.SHA256 || o.digest == [sha256.Size]byte{}) {
		o.digest = cl.SHA256
		o.complete.Store(true)
		o.cache.setComplete(o.entry, true)
		return nil
	}
	o.cache.setComplete(o.entry, false)
	o.finishWhenAll()
	return nil
}

// trusts says whether the bytes need no check before they are read. VerifyOpen
// wants what is complete to be read again.
func (o *object) trusts(cl claim, whole bool) (bool, error) {
	st, err := o.data.Stat()
	if err != nil || !cl.clean || st.Size() != cl.Size {
		return false, err
	}
	if cl.ModTime != 0 {
		return whole && o.cache.cfg.Verify != VerifyOpen, nil
	}
	return true, nil
}

// join takes over what a further Get brings: a fresh origin, and perhaps the
// sha256 that the first one did not know.
func (o *object) join(want Object, from Origin) error {
	digest, err := want.digest()
	if err != nil {
		return err
	}
	if want.Size != o.want.Size {
		return fmt.Errorf("cache %s: %d bytes, and %d bytes elsewhere under the same ID: %w", want.Name, want.Size, o.want.Size, fs.ErrInvalid)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if from != nil {
		o.origin = from
	}
	if digest == o.digest || digest == [sha256.Size]byte{} {
		return nil
	}
	o.digest = digest
	o.complete.Store(false)
	o.cache.setComplete(o.entry, false)
	o.finishWhenAll()
	return nil
}
