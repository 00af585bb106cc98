package blobcache

import (
	"context"
	"errors"
)

// fillPart is how many bytes one request of a fill asks for.
const fillPart = 8 << 20

// A fill wants all of an object.
type fill struct {
	o    *object
	wake chan struct{} // has room for one

	// Guarded by o.mu.
	from int // granules before it were claimed once
	err  error
	left bool
}

var _ source = (*fill)(nil)

// Prefetch brings all of an object into the cache; it returns when the object is
// complete and verified. progress, which may be nil, is told from time to time how
// many bytes are there; it is called by this goroutine. Readers go before it. What
// was asked of the origin when ctx ends still arrives.
func (c *Cache) Prefetch(ctx context.Context, want Object, from Origin, progress func(done, total int64)) error {
	o, err := c.acquire(want, from)
	if err != nil {
		return err
	}
	defer c.release(o.entry)
	return o.fill(ctx, progress)
}

// fill waits until the object is complete and fetches what it lacks.
func (o *object) fill(ctx context.Context, progress func(done, total int64)) error {
	if !o.complete.Load() && o.want.Size > o.cache.cfg.Quota {
		return o.cache.roomFailure(o.want.Name, o.want.Size, false)
	}
	f := &fill{o: o, wake: make(chan struct{}, 1)}
	o.mu.Lock()
	o.fills[f] = struct{}{}
	o.mu.Unlock()
	defer f.leave()
	for {
		if progress != nil {
			progress(o.entry.present.Load(), o.want.Size)
		}
		if o.complete.Load() {
			return nil
		}
		if err := f.failed(); err != nil {
			return err
		}
		o.cache.ahead.add(f)
		select {
		case <-f.wake:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// poke has the fill look again.
func (f *fill) poke() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *fill) leave() {
	f.o.mu.Lock()
	defer f.o.mu.Unlock()
	delete(f.o.fills, f)
	f.left = true
}

func (f *fill) failed() error {
	f.o.mu.Lock()
	defer f.o.mu.Unlock()
	if f.o.failure != nil {
		return f.o.failure
	}
	return f.err
}

// next claims the next part, and starts over at the end for what was lost since.
func (f *fill) next() *fetch {
	o := f.o
	o.mu.Lock()
	defer o.mu.Unlock()
	if f.left || f.err != nil || o.missing == 0 {
		return nil
	}
	for range o.granules {
		if f.from >= o.granules {
			f.from = 0
		}
		if o.lacks(f.from) {
			got := o.claim(f.from, f.from+fillPart/granule, forWhole)
			if got != nil {
				f.from = got.hi
			}
			return got
		}
		f.from++
	}
	return nil
}

// done ends the fill after an error.
func (f *fill) done(err error) {
	f.o.mu.Lock()
	defer f.o.mu.Unlock()
	if err != nil && f.err == nil && !errors.Is(err, context.Canceled) {
		f.err = err
	}
	f.poke()
}
