package backend

import (
	"context"
	"errors"
	"io"
	"sync"
)

// A resuming reader opens the rest of its range again when reading fails.
// [NewBody] makes it a body.
type resuming struct {
	store   *retrying
	key     Key
	version string
	// ctx ends with Open's and with Close. It is kept because the body goes on
	// opening after Open returned.
	ctx    context.Context
	cancel context.CancelFunc
	rest   Range // what was not read yet; the reader's alone
	broken error // why body gives no more; the reader's alone

	mu   sync.Mutex // guards body, which Close and a resuming Read both touch
	body io.ReadCloser
}

func (b *resuming) Read(p []byte) (int, error) {
	back := b.store.backoff()
	for {
		if b.broken == nil {
			n, err := b.read(p)
			if n > 0 || err == nil || errors.Is(err, io.EOF) || b.version == "" {
				return n, err
			}
			b.broken = err
		}
		if err := b.again(back); err != nil {
			return 0, err
		}
	}
}

// read reads from the present body. An error that comes with bytes is kept for
// the next Read.
func (b *resuming) read(p []byte) (int, error) {
	b.mu.Lock()
	body := b.body
	b.mu.Unlock()
	n, err := body.Read(p)
	b.rest.Off += int64(n)
	if b.rest.Len > 0 {
		b.rest.Len -= int64(n)
	}
	if n > 0 && err != nil && !errors.Is(err, io.EOF) && b.version != "" {
		b.broken, err = err, nil
	}
	return n, err
}

// again waits and opens the rest once; a failure of that stays in broken. The
// error returned is the one to give up with.
func (b *resuming) again(back *backoff) error {
	if err := back.wait(b.ctx, b.broken); err != nil {
		return err
	}
	b.broken = b.open()
	return nil
}

// open opens the rest of the range in place of the body so far.
func (b *resuming) open() error {
	body, err := b.store.Store.Open(b.ctx, b.key, b.rest, b.version)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.body != nil {
		_ = b.body.Close() // it failed already, and said how
	}
	b.body = body
	if err := b.ctx.Err(); err != nil { // Close has passed and did not see this body
		_ = body.Close() // never used
		return err
	}
	return nil
}

func (b *resuming) Close() error {
	b.cancel()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.body.Close()
}
