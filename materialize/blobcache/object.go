package blobcache

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"sync"
	"sync/atomic"
)

// An object is an entry whose files are open: which granules are there, which are
// on their way, and who waits for them.
type object struct {
	cache    *Cache
	entry    *entry
	want     Object
	granules int
	ctx      context.Context // of its fetches; ends with the object
	cancel   context.CancelCauseFunc
	data     *os.File

	// have are the granules that may be read. Bits are set under mu, and cleared
	// under copying and mu, so that who holds copying for reading may rely on them.
	have     bitmap
	complete atomic.Bool     // all of have, verified: nothing is cleared any more
	touched  []atomic.Uint32 // a chunk's last use, see Cache.tick

	// copying is held for reading while bytes go to or from the data file, and for
	// writing while they are taken away.
	copying sync.RWMutex

	// saving is held while the map file is written.
	saving sync.Mutex
	maps   *mapFile
	dirty  atomic.Bool // the map is not marked clean; cleared under saving

	mu       sync.Mutex
	origin   Origin
	digest   [sha256.Size]byte // expected of the whole; zero: not known
	failure  error             // ends everything
	claimed  bitmap            // being fetched
	suspect  bitmap            // the map claims them after an unclean stop
	missing  int               // granules that are neither there nor suspect
	waiters  map[*waiter]struct{}
	fills    map[*fill]struct{}
	crcs     map[int]uint32 // of granules that are there and not recorded
	durable  bitmap         // recorded, or about to be
	unsaved  bool           // durable lost bits since it was recorded
	checking bool           // the whole is being verified
	losses   int            // times that granules were taken away
	strikes  int            // times that the whole was wrong as it came
	repairs  int            // times that granules were wrong on the disk
}

// A waiter is a reader for whom granules lo to before hi must be there. While it
// is enlisted they are not evicted.
type waiter struct {
	lo, hi int
	ready  chan error // has room for one: look again, or the error
}

// tell wakes a waiter; what it was told before and did not hear yet is enough.
func (w *waiter) tell(err error) {
	select {
	case w.ready <- err:
	default:
	}
}

// span gives the granules that n bytes at off touch.
func span(off int64, n int) (lo, hi int) {
	return int(off / granule), int((off + int64(n) + granule - 1) / granule)
}

// size is the bytes of granules lo to before hi.
func (o *object) size(lo, hi int) int64 {
	if lo >= hi {
		return 0
	}
	return min(int64(hi)*granule, o.want.Size) - int64(lo)*granule
}

// read reads bytes of one object; p is not longer than piece. extend is how many
// bytes more the reader is likely to want, and ahead is called when what is wanted
// now is under way.
func (o *object) read(ctx context.Context, p []byte, off, extend int64, ahead func()) error {
	lo, hi := span(off, len(p))
	o.touch(lo, hi)
	if done, err := o.copyOut(p, off); done || err != nil {
		ahead()
		return err
	}
	w := o.enlist(lo, hi)
	defer o.leave(w)
	for {
		if err := o.demand(w, extend); err != nil { //nolint:contextcheck // fetches outlive those who asked
			return err
		}
		ahead()
		select {
		case err := <-w.ready:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if done, err := o.copyOut(p, off); done || err != nil {
			return err
		}
	}
}

// copyOut reads bytes that are there; done is false where they aren't, or turn
// out not to be.
func (o *object) copyOut(p []byte, off int64) (done bool, err error) {
	lo, hi := span(off, len(p))
	o.copying.RLock()
	if !o.have.all(lo, hi) {
		o.copying.RUnlock()
		return false, nil
	}
	n, err := o.data.ReadAt(p, off)
	o.copying.RUnlock()
	switch {
	case n == len(p):
		return true, o.usable()
	case errors.Is(err, os.ErrClosed):
		return false, errClosed
	}
	// Somebody cut the file, or the disk has lost it.
	o.cache.cfg.Logger.Warn("cached bytes can't be read", "object", o.want.Name, "err", err)
	return false, o.distrust()
}

// usable gives the error that ended the object.
func (o *object) usable() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failure
}

// struck says how often the whole was wrong as it came.
func (o *object) struck() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.strikes
}

func (o *object) enlist(lo, hi int) *waiter {
	w := &waiter{lo: lo, hi: hi, ready: make(chan error, 1)}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiters[w] = struct{}{}
	return w
}

func (o *object) leave(w *waiter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.waiters, w)
}

// wake tells the waiters of any of the granules lo to before hi. Those who are
// told nothing bad are only told when they have all they want. The caller holds mu.
func (o *object) wake(lo, hi int, err error) {
	for w := range o.waiters {
		if w.lo < hi && lo < w.hi && (err != nil || o.have.all(w.lo, w.hi)) {
			w.tell(err)
		}
	}
	for f := range o.fills {
		f.poke()
	}
}

// lookAgain wakes everybody. The caller holds mu.
func (o *object) lookAgain() {
	for w := range o.waiters {
		w.tell(o.failure)
	}
	for f := range o.fills {
		f.poke()
	}
}

// write puts bytes that were fetched into the file and lets readers have them.
// off is at the beginning of a granule; p ends with one, or with the object.
func (o *object) write(p []byte, off int64) error {
	lo, hi := span(off, len(p))
	crcs := checksums(p)
	o.copying.RLock()
	_, err := o.data.WriteAt(p, off)
	if err == nil {
		o.publish(lo, hi, crcs)
	}
	o.copying.RUnlock()
	if err != nil {
		return diskFailure(o.want.Name, err)
	}
	o.cache.arrived(o.entry, int64(len(p)))
	o.touch(lo, hi)
	return o.saveWhenMuch()
}

// publish sets granules as there and wakes who waited for them.
func (o *object) publish(lo, hi int, crcs []uint32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for g := lo; g < hi; g++ {
		o.claimed.clear(g)
		o.crcs[g] = crcs[g-lo]
		o.have.set(g)
	}
	o.missing -= hi - lo
	o.wake(lo, hi, nil)
	o.finishWhenAll()
}

// fail ends the object: all readers, now and later, get err.
func (o *object) fail(err error) {
	o.mu.Lock()
	if o.failure == nil {
		o.failure = err
		o.lookAgain()
	}
	o.mu.Unlock()
	o.cancel(err)
}

// close closes the files, after a save that is under way. Nobody uses the object any
// more, or the cache is closed.
func (o *object) close() error {
	o.cancel(errClosed)
	o.saving.Lock()
	defer o.saving.Unlock()
	return errors.Join(o.data.Close(), o.maps.Close())
}
