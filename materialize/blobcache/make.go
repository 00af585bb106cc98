package blobcache

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// A production is the making of a derived object, for all who ask for it.
type production struct {
	done    chan struct{}
	err     error // once done is closed
	waiting int   // guarded by Cache.mu; the last to leave cancels
	cancel  context.CancelCauseFunc
}

// errNotMade means that a derived object is not there, or not all of it.
var errNotMade = errors.New("it is not made: open it again")

// unmade is the origin of derived objects: there is none.
type unmade struct{}

// Open implements [Origin].
func (unmade) Open(context.Context, int64, int64) (io.ReadCloser, error) { return nil, errNotMade }

// Make gives an object that is made of others: of a compressed one, for example.
// Where it isn't there produce writes it, once for however many ask, and has to end
// when its ctx does: when nobody waits any more, or the cache is closed. Make
// returns when all is there and has the object's size and sha256, as far as they are
// given; [Blob.LocalFile] has it then. An error of produce goes to all who wait.
func (c *Cache) Make(ctx context.Context, want Object, produce func(ctx context.Context, w io.Writer) error) (*Blob, error) {
	for {
		o, err := c.made(ctx, want)
		if err == nil {
			return newBlob(o), nil
		}
		if !errors.Is(err, errNotMade) {
			return nil, err
		}
		if err := c.await(ctx, want, produce); err != nil {
			return nil, err
		}
	}
}

// made gives the object if it is complete. What is there of it otherwise, or is
// wrong, is removed.
func (c *Cache) made(ctx context.Context, want Object) (*object, error) {
	c.mu.Lock()
	e := c.entries[keyOf(want.ID)]
	if e == nil || !e.complete || want.Size >= 0 && want.Size != e.size {
		c.mu.Unlock()
		return nil, errNotMade
	}
	want.Size = e.size
	c.mu.Unlock()
	o, err := c.acquire(want, unmade{})
	if err != nil {
		return nil, err
	}
	if err = o.fill(ctx, nil); err == nil {
		return o, nil
	}
	if errors.Is(err, errNotMade) {
		c.drop(o, err)
	}
	c.release(o.entry)
	return nil, err
}

// await waits for the production of an object, and starts it if need be.
func (c *Cache) await(ctx context.Context, want Object, produce func(ctx context.Context, w io.Writer) error) error {
	p, err := c.produce(ctx, want, produce)
	if err != nil {
		return err
	}
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.waiting--; p.waiting == 0 {
		p.cancel(context.Cause(ctx))
		if key := keyOf(want.ID); c.making[key] == p {
			delete(c.making, key) // who comes now starts a new one
		}
	}
	return context.Cause(ctx)
}

// produce gives the running production of an object with one more who waits, or
// starts one.
func (c *Cache) produce(ctx context.Context, want Object, produce func(ctx context.Context, w io.Writer) error) (*production, error) {
	if _, err := want.digest(); err != nil {
		return nil, err
	}
	key := keyOf(want.ID)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errClosed
	}
	if p := c.making[key]; p != nil {
		p.waiting++
		return p, nil
	}
	p := &production{done: make(chan struct{}), waiting: 1}
	ctx, p.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	c.making[key] = p
	c.wg.Go(func() { c.run(ctx, p, want, produce) })
	return p, nil
}

// run has the object produced and tells who waits for it.
func (c *Cache) run(ctx context.Context, p *production, want Object, produce func(ctx context.Context, w io.Writer) error) {
	stop := context.AfterFunc(c.ctx, func() { p.cancel(errClosed) }) //nolint:contextcheck // the cache's end, not the caller's
	defer stop()
	err := c.write(ctx, want, produce)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	p.cancel(nil)
	c.mu.Lock()
	if key := keyOf(want.ID); c.making[key] == p {
		delete(c.making, key)
	}
	p.err = err
	c.mu.Unlock()
	close(p.done)
}

// write has the object produced into a file, checks it and puts it into the cache.
func (c *Cache) write(ctx context.Context, want Object, produce func(ctx context.Context, w io.Writer) error) error {
	w, err := c.newProduct(want)
	if err != nil {
		return diskFailure(want.Name, err)
	}
	defer w.discard()
	if err := produce(ctx, w); err != nil {
		return err
	}
	if err := w.finish(); err != nil {
		return diskFailure(want.Name, err)
	}
	// Who was told that nobody waits must not replace what a later one made.
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := c.adopt(w); err != nil {
		return diskFailure(want.Name, fmt.Errorf("put %s into the cache: %w", want.Name, err))
	}
	return nil
}
