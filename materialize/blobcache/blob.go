package blobcache

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"cosafs/materialize"
)

// piece is how many bytes of an object a read waits for at once, and so keeps from
// being evicted.
const piece = 1 << 20

// A Blob is an open object. It is safe for concurrent use.
type Blob struct {
	o       *object
	reader  reader
	strikes int // the object's when it was opened

	mu     sync.Mutex
	closed bool
	local  *os.File
}

// newBlob gives a blob that takes over one acquire of the object.
func newBlob(o *object) *Blob {
	b := &Blob{o: o, strikes: o.struck()}
	b.reader.o, b.reader.jumps = o, &strides{o: o}
	return b
}

// Size is the object's size in bytes.
func (b *Blob) Size() int64 { return b.o.want.Size }

// ReadAt follows [io.ReaderAt], but ends with ctx's cause when ctx does. It waits
// for what is not there yet, and gives the origin's error where that fails, once;
// a later read tries again. After ErrChanged and ErrCorrupt the blob gives nothing
// else any more. Once the whole is there, reads wait until its sha256 is checked:
// who read it all, in whatever order, knows that it was right.
func (b *Blob) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	if err := b.usable(off); err != nil {
		return 0, err
	}
	end := min(off+int64(len(p)), b.Size())
	n := 0
	for at := off; at < end; at = off + int64(n) {
		part := p[n : n+int(min(piece, end-at))]
		if err := b.readPiece(ctx, part, at); err != nil {
			return n, err
		}
		n += len(part)
	}
	if !b.o.complete.Load() {
		if err := b.o.settled(ctx); err != nil {
			return 0, err
		}
	}
	if err := b.right(); err != nil {
		return 0, err
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// right fails once the whole of which the blob gave parts turned out to be wrong,
// though it is fetched again: what was read is wrong for good.
func (b *Blob) right() error {
	if b.o.struck() == b.strikes {
		return nil
	}
	return materialize.Fail(materialize.ClassConfig, "read "+b.o.want.Name, "open it again: it is fetched once more",
		fmt.Errorf("what was read of it does not have the recorded sha256: %w", ErrCorrupt))
}

func (b *Blob) usable(off int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return fmt.Errorf("read %s: %w", b.o.want.Name, fs.ErrClosed)
	case off < 0:
		return fmt.Errorf("read %s at %d: %w", b.o.want.Name, off, fs.ErrInvalid)
	}
	return nil
}

// readPiece reads, and has fetched what is likely to be read next.
func (b *Blob) readPiece(ctx context.Context, p []byte, off int64) error {
	if b.o.complete.Load() {
		if done, err := b.o.copyOut(p, off); done || err != nil {
			return err
		}
	}
	extend, then := b.reader.observe(off, int64(len(p)))
	return b.o.read(ctx, p, off, extend, func() {
		if then != nil {
			b.o.cache.ahead.add(then)
		}
	})
}

// LocalFile gives the file with the object's bytes once it is complete and
// verified. The blob owns it; nobody writes to it any more.
func (b *Blob) LocalFile() (*os.File, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || !b.o.complete.Load() {
		return nil, false
	}
	if b.local == nil {
		f, err := os.Open(b.o.data.Name())
		if err != nil {
			return nil, false
		}
		b.local = f
	}
	return b.local, true
}

// Close gives the object back. Reads that are still waiting are not ended by it.
func (b *Blob) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return fmt.Errorf("close %s: %w", b.o.want.Name, fs.ErrClosed)
	}
	b.closed = true
	b.reader.close()
	b.o.cache.release(b.o.entry)
	if b.local == nil {
		return nil
	}
	return b.local.Close()
}
