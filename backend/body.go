package backend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync/atomic"
)

// NewBody gives the first n bytes of r as the body that [Store].Open promises:
// never more, never silently less, ended by ctx and by Close. If n is [ToEnd], r
// must know its own end. Closing r must end a Read of it that blocks. The body
// owns r.
func NewBody(ctx context.Context, r io.ReadCloser, n int64) io.ReadCloser {
	b := &body{r: r, left: n, ended: ctx.Err}
	// r is closed for a Read that blocks; its own error tells nobody anything.
	b.stop = context.AfterFunc(ctx, func() { _ = r.Close() })
	return b
}

type body struct {
	r      io.ReadCloser
	left   int64        // bytes, or ToEnd
	ended  func() error // the error of Open's ctx
	stop   func() bool  // gives up waiting for that ctx
	closed atomic.Bool
}

func (b *body) Read(p []byte) (int, error) {
	if err := b.over(); err != nil {
		return 0, err
	}
	if b.left == 0 {
		return 0, io.EOF
	}
	if b.left > 0 {
		p = p[:min(int64(len(p)), b.left)]
	}
	n, err := b.r.Read(p)
	if b.left > 0 {
		b.left -= int64(n)
	}
	switch {
	case err == nil:
		return n, nil
	case b.over() != nil:
		return n, b.over() // not r's complaint about being closed
	case !errors.Is(err, io.EOF):
		return n, err
	case b.left > 0:
		return n, io.ErrUnexpectedEOF
	}
	return n, io.EOF
}

func (b *body) over() error {
	if b.closed.Load() {
		return fs.ErrClosed
	}
	return b.ended()
}

func (b *body) Close() error {
	if b.closed.Swap(true) {
		return nil
	}
	if !b.stop() {
		return nil // ctx ended and closed r already
	}
	return b.r.Close()
}

// EmptyBody gives the body of a range that holds no byte of the object that info
// describes, or says why the range is none: the object is no longer that version,
// or the range lies past its end. It is for stores over HTTP, which has no way
// to ask for no bytes, and one answer for both.
func EmptyBody(ctx context.Context, info Info, r Range, version string) (io.ReadCloser, error) {
	if version != "" && info.Version != version {
		return nil, ErrChanged
	}
	n, err := r.Within(info.Size)
	if err != nil {
		return nil, err
	}
	if n != 0 {
		return nil, fmt.Errorf("the store refuses %d bytes at %d of %d", n, r.Off, info.Size)
	}
	return NewBody(ctx, io.NopCloser(strings.NewReader("")), 0), nil
}
