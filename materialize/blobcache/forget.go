package blobcache

import (
	"errors"

	"golang.org/x/sys/unix"
)

// forget takes granules away, whoever waits for them: their bytes are not right.
// They are fetched again when somebody wants them.
func (o *object) forget(lo, hi int) error {
	if err := o.lockBytes(); err != nil {
		return err
	}
	defer o.copying.Unlock()
	o.mu.Lock()
	freed := o.clear(lo, hi)
	o.lookAgain()
	o.mu.Unlock()
	o.cache.freed(o.entry, freed)
	if err := o.punchHole(lo, hi); !errors.Is(err, unix.EOPNOTSUPP) {
		return err
	}
	return nil // the bytes are written over when they come again
}

// lockBytes locks copying for taking bytes away, with a map that does not claim to
// be clean. Commit may make it clean between the two steps.
func (o *object) lockBytes() error {
	for {
		if err := o.soil(); err != nil {
			return err
		}
		o.copying.Lock()
		if o.dirty.Load() {
			return nil
		}
		o.copying.Unlock()
	}
}

// clear takes granules away that are there or suspect, and says how many bytes
// they held. The caller holds copying and mu.
func (o *object) clear(lo, hi int) (freed int64) {
	for g := lo; g < hi; g++ {
		if !o.have.get(g) && !o.suspect.get(g) {
			continue
		}
		o.have.clear(g)
		o.suspect.clear(g)
		o.durable.clear(g)
		delete(o.crcs, g)
		o.unsaved = true
		o.missing++
		o.losses++
		freed += o.size(g, g+1)
	}
	return freed
}

// distrust has every granule checked before it is read again.
func (o *object) distrust() error {
	if err := o.lockBytes(); err != nil {
		return err
	}
	defer o.copying.Unlock()
	o.complete.Store(false)
	o.cache.setComplete(o.entry, false)
	o.mu.Lock()
	for g := range o.granules {
		if o.have.get(g) {
			o.have.clear(g)
			o.suspect.set(g)
		}
	}
	o.lookAgain()
	o.mu.Unlock()
	// What is missing at the end then reads as zeros, and fails its check.
	return o.data.Truncate(o.want.Size)
}
