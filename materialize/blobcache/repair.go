package blobcache

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"

	"cosafs/materialize"
)

// maxRepairs is how often granules may turn out wrong on the disk before the disk
// is blamed.
const maxRepairs = 3

// repair checks the granules that are doubtful, or all, against their checksums,
// and takes away those that are wrong. It says how many were.
func (o *object) repair(all bool) (bad int, err error) {
	for g := range o.granules {
		o.mu.Lock()
		look := o.suspect.get(g) || all && o.have.get(g)
		o.mu.Unlock()
		if !look {
			continue
		}
		right, err := o.checkGranule(g)
		if err != nil {
			return bad, err
		}
		if !right {
			bad++
		}
	}
	if bad == 0 {
		return 0, nil
	}
	if o.repairs++; o.repairs > maxRepairs {
		return bad, materialize.Fail(materialize.ClassSpace, "cache "+o.want.Name, "check the disk of the cache",
			fmt.Errorf("the disk gives other bytes than were written: %w", ErrCorrupt))
	}
	return bad, nil
}

// clearDoubts checks the suspect ones of the granules lo to before hi.
func (o *object) clearDoubts(lo, hi int) error {
	for g := lo; g < hi; g++ {
		o.mu.Lock()
		doubtful := o.suspect.get(g)
		o.mu.Unlock()
		if !doubtful {
			continue
		}
		if _, err := o.checkGranule(g); err != nil {
			return err
		}
	}
	return nil
}

// checkGranule compares a granule with its checksum. From then on it is there, or
// not.
func (o *object) checkGranule(g int) (right bool, err error) {
	buf, ok := buffers.Get().(*[bufferSize]byte)
	if !ok {
		return false, errors.ErrUnsupported // never: the pool holds nothing else
	}
	defer buffers.Put(buf)
	want, err := o.crc(g)
	n, rerr := o.data.ReadAt(buf[:o.size(g, g+1)], int64(g)*granule)
	if errors.Is(err, os.ErrClosed) || errors.Is(rerr, os.ErrClosed) {
		return false, errClosed
	}
	if err != nil || rerr != nil || crc32.Checksum(buf[:n], castagnoli) != want {
		o.cache.cfg.Logger.Warn("cached bytes are damaged", "object", o.want.Name, "offset", int64(g)*granule)
		return false, o.forget(g, g+1)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.suspect.get(g) {
		o.suspect.clear(g)
		o.have.set(g)
	}
	return true, nil
}

// crc gives the recorded checksum of a granule.
func (o *object) crc(g int) (uint32, error) {
	o.saving.Lock()
	defer o.saving.Unlock()
	return o.maps.crc(g)
}
