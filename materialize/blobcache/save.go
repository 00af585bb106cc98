package blobcache

import (
	"errors"
	"syscall"
)

// saveBytes is how much is written before it is brought to the disk, if
// saveInterval is not over before.
const saveBytes = 64 << 20

// save brings what was written to the disk, and then records it: a bit that is set
// in the map stands for bytes that a crash does not take away.
func (o *object) save() error {
	o.saving.Lock()
	defer o.saving.Unlock()
	o.mu.Lock()
	crcs, same := o.crcs, len(o.crcs) == 0 && !o.unsaved
	if same || o.dropped() {
		o.mu.Unlock()
		return nil
	}
	o.crcs, o.unsaved = make(map[int]uint32, len(crcs)), false
	o.mu.Unlock()
	if err := fdatasync(o.data); err != nil {
		return diskFailure(o.want.Name, err)
	}
	if err := o.maps.record(crcs, o.settle(crcs)); err != nil {
		return diskFailure(o.want.Name, err)
	}
	return nil
}

// dropped says whether the object is gone from the cache, and so are its files.
// The caller holds mu.
func (o *object) dropped() bool { return o.failure != nil && !errors.Is(o.failure, errClosed) }

// settle gives the bits to record: with the granules that were brought to the disk
// just now, but for those that are gone or replaced since.
func (o *object) settle(crcs map[int]uint32) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	for g := range crcs {
		if _, again := o.crcs[g]; o.have.get(g) && !again {
			o.durable.set(g)
		} else {
			delete(crcs, g)
		}
	}
	return o.durable.bytes()
}

// saveWhenMuch saves when enough was written since the last time. It slows the
// fetch that calls it down to the disk's speed.
func (o *object) saveWhenMuch() error {
	o.mu.Lock()
	much := len(o.crcs) >= saveBytes/granule
	o.mu.Unlock()
	if much {
		o.saveOrDrop()
	}
	return o.usable()
}

// saveOrDrop saves. Where that fails nobody can say which bytes are on the disk,
// so the object is dropped.
func (o *object) saveOrDrop() {
	if err := o.save(); err != nil {
		o.cache.drop(o, err)
	}
}

// soil makes sure that the map is not marked clean. It goes before every change of
// the data file.
func (o *object) soil() error {
	if o.dirty.Load() {
		return nil
	}
	o.saving.Lock()
	defer o.saving.Unlock()
	if err := o.maps.soil(); err != nil {
		return diskFailure(o.want.Name, err)
	}
	o.dirty.Store(true)
	return nil
}

// seal saves, and marks the map clean if all that it claims is known to be right.
func (o *object) seal() error {
	if err := o.save(); err != nil {
		return err
	}
	o.mu.Lock()
	doubtful := o.dropped() || o.suspect.count() > 0
	o.mu.Unlock()
	if doubtful || !o.dirty.Load() {
		return nil
	}
	o.saving.Lock()
	defer o.saving.Unlock()
	o.dirty.Store(false)
	return o.maps.clean()
}

// diskFailure explains a full disk; other errors stay what they are.
func diskFailure(name string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return spaceFailure(name, "free space on the disk of the cache, or give the cache a smaller quota", err)
	}
	return err
}
