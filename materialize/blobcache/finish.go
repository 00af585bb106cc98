package blobcache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
)

// finishWhenAll has the whole verified once nothing is missing. The caller holds mu.
func (o *object) finishWhenAll() {
	if o.missing > 0 || o.checking || o.failure != nil || o.complete.Load() {
		return
	}
	o.checking = true
	o.cache.retain(o.entry)
	if !o.cache.spawn(o.finish) {
		o.cache.rest(o.entry)
	}
}

// finish verifies an object of which nothing is missing, and makes it complete.
// Where it is wrong, what is wrong is fetched again once.
func (o *object) finish() {
	defer o.cache.rest(o.entry)
	err := o.verify()
	o.mu.Lock()
	o.checking = false
	o.lookAgain()
	if err == nil {
		o.finishWhenAll() // join may have brought another sha256 meanwhile
	}
	o.mu.Unlock()
	if err != nil && o.ctx.Err() == nil {
		o.cache.drop(o, err)
	}
}

// verify makes the object complete, or takes away what is wrong.
func (o *object) verify() error {
	if err := o.save(); err != nil {
		return err
	}
	o.mu.Lock()
	want, losses, missing := o.digest, o.losses, o.missing
	o.mu.Unlock()
	if missing > 0 {
		return nil // a reader found damage first; it comes back here when that is mended
	}
	if want == [sha256.Size]byte{} {
		if bad, err := o.repair(false); bad > 0 || err != nil {
			return err
		}
		return o.commit(want, losses)
	}
	got, err := o.sum()
	if err != nil {
		return err
	}
	if got == want && o.trustAll(losses) {
		return o.commit(want, losses)
	}
	if bad, err := o.repair(true); bad > 0 || err != nil {
		return err
	}
	if o.lostSince(losses) {
		return nil // what was read here is not what is there now
	}
	return o.strike(hex.EncodeToString(got[:]), hex.EncodeToString(want[:]))
}

// sum reads the whole and gives its sha256. A disk that can't give it is treated
// as one that gives something else: granules are looked at one by one then.
func (o *object) sum() (sum [sha256.Size]byte, err error) {
	h := sha256.New()
	err = o.digestInto(h)
	h.Sum(sum[:0])
	if err != nil && o.ctx.Err() == nil {
		o.cache.cfg.Logger.Warn("cached bytes can't be read", "object", o.want.Name, "err", err)
		return [sha256.Size]byte{}, nil
	}
	return sum, err
}

// trustAll ends all doubts about granules: the whole is right, unless some were
// replaced while it was read.
func (o *object) trustAll(losses int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.losses != losses {
		return false
	}
	for g := range o.granules {
		if o.suspect.get(g) {
			o.suspect.clear(g)
			o.have.set(g)
		}
	}
	return true
}

// lostSince says whether granules were taken away since they were counted.
func (o *object) lostSince(losses int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.losses != losses
}

func (o *object) digestInto(h hash.Hash) error {
	buf, ok := buffers.Get().(*[bufferSize]byte)
	if !ok {
		return errors.ErrUnsupported // never: the pool holds nothing else
	}
	defer buffers.Put(buf)
	for off := int64(0); off < o.want.Size; {
		n := min(bufferSize, o.want.Size-off)
		if _, err := o.data.ReadAt(buf[:n], off); err != nil {
			return err
		}
		h.Write(buf[:n])
		if off += n; o.ctx.Err() != nil {
			return o.ctx.Err()
		}
	}
	return nil
}

// strike takes away the whole, which is wrong though every part is as it came. The
// first time it is fetched again, whoever waits for it.
func (o *object) strike(got, want string) error {
	failure := corruptFailure(o.want.Name, got, want)
	if o.countStrike() > 1 {
		o.cache.spoil(o, failure)
		return nil
	}
	o.cache.cfg.Logger.Warn("an object has the wrong sha256; it is fetched once more", "object", o.want.Name, "got", got, "want", want)
	if err := o.forget(0, o.granules); err != nil {
		return err
	}
	if o.granules == 0 {
		o.cache.spoil(o, failure)
		return nil
	}
	o.cache.retain(o.entry)
	if !o.cache.spawn(o.refetch) {
		o.cache.rest(o.entry)
	}
	return nil
}

// countStrike counts, and so ends the blobs that gave bytes of the wrong whole.
func (o *object) countStrike() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.strikes++
	return o.strikes
}

// settled waits, if the whole is there, until it is known whether it is right. It is
// not only for the read at the end: of reads at the same time, which the kernel
// makes of one, the last to be answered need not be that.
func (o *object) settled(ctx context.Context) error {
	w := o.enlist(0, 0) // told when the checking ends
	defer o.leave(w)
	for {
		o.mu.Lock()
		checking, failure := o.checking, o.failure
		o.mu.Unlock()
		if failure != nil || !checking {
			return failure
		}
		select {
		case err := <-w.ready:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// refetch brings the whole once more.
func (o *object) refetch() {
	defer o.cache.rest(o.entry)
	if err := o.fill(o.ctx, nil); err != nil && o.ctx.Err() == nil {
		o.cache.cfg.Logger.Warn("fetch once more", "object", o.want.Name, "err", err)
	}
}
