package vfstest

import (
	"bytes"
	"context"
	"errors"
	"os"

	"cosafs/materialize"
	"cosafs/vfs"
)

// Open implements vfs.Library: the first to come through the gate makes the
// item, the others get it, too.
func (l *Library) Open(ctx context.Context, e vfs.Entry) (vfs.Blob, error) {
	it, err := l.arrive(ctx, e)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if it.Fail != "" {
		it.failed = true
		l.publish()
		return nil, materialize.Fail(it.Fail, "compose", "mend it", errors.New(it.Reason))
	}
	if !it.made {
		it.made = true
		l.counters.Made++
		l.publish()
	}
	b := &blob{l: l, r: *bytes.NewReader(it.bytes)}
	if it.file != "" {
		b.file, err = os.Open(it.file)
	}
	return b, err
}

// arrive waits at the item's gate, if it has one and isn't made yet.
func (l *Library) arrive(ctx context.Context, e vfs.Entry) (*item, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counters.Opens++
	it, err := l.find(e)
	if err != nil || it.made || it.Gate == "" {
		return it, err
	}
	gate := l.gates[it.Gate]
	l.counters.Waiting++
	l.mu.Unlock()
	select {
	case <-gate:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	l.mu.Lock()
	l.counters.Waiting--
	return it, err
}

// blob is an open item. It counts what it gives.
type blob struct {
	l    *Library
	r    bytes.Reader
	file *os.File
}

func (b *blob) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	n, err := b.r.ReadAt(p, off)
	b.l.mu.Lock()
	defer b.l.mu.Unlock()
	b.l.counters.Bytes += int64(n)
	return n, err
}

func (b *blob) Size() int64                 { return b.r.Size() }
func (b *blob) LocalFile() (*os.File, bool) { return b.file, b.file != nil }

func (b *blob) Close() error {
	if b.file == nil {
		return nil
	}
	return b.file.Close()
}
