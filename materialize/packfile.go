package materialize

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"slices"
)

// packFile compresses r into a new file, syncs nothing, and gives what was read and
// what was written. Size, in bytes and only for progress, is r's.
func packFile(ctx context.Context, p Packer, r io.Reader, size int64, out string, o PackOptions) (plain, packed Content, err error) {
	f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return plain, packed, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	in, written := newMeter(nil), newMeter(nil)
	in.tell = func(n int64) { o.Task.tell("compress", n, size) }
	if err := p.Pack(ctx, io.MultiWriter(f, written), io.TeeReader(r, in), o); err != nil {
		return plain, packed, err
	}
	return in.content(), written.content(), nil
}

// unpackFile gives what a compressed file holds. Where to is not "" it is written
// there, into a new file with holes where it is zero.
func unpackFile(ctx context.Context, p Packer, from, format, to string, size int64, task *Task) (c Content, err error) {
	in, err := os.Open(from)
	if err != nil {
		return c, err
	}
	defer func() { _ = in.Close() }() // read only
	r, err := p.Unpack(ctx, in, format)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	sum := newMeter(func(n int64) { task.tell("check", n, size) })
	if to == "" {
		_, err = io.Copy(sum, reader{ctx, r})
		return sum.content(), err
	}
	sum.tell = func(n int64) { task.tell("decompress", n, size) }
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	w := &sparseWriter{f: out}
	buf := make([]byte, 256<<10)
	if _, err := io.CopyBuffer(io.MultiWriter(sum, w), reader{ctx, r}, buf); err != nil {
		return c, err
	}
	return sum.content(), out.Truncate(w.off)
}

// A meter hashes and counts what is written to it.
type meter struct {
	h    hash.Hash
	n    int64
	tell func(n int64) // may be nil
}

func newMeter(tell func(int64)) *meter { return &meter{h: sha256.New(), tell: tell} }

// Write implements [io.Writer].
func (m *meter) Write(p []byte) (int, error) {
	n, err := m.h.Write(p)
	if m.n += int64(n); m.tell != nil {
		m.tell(m.n)
	}
	return n, err
}

func (m *meter) content() Content { return Content{hex.EncodeToString(m.h.Sum(nil)), m.n} }

// tell tells progress where the whole is known.
func (t *Task) tell(phase string, n, of int64) {
	if t != nil && t.Progress != nil && of > 0 {
		t.Progress(phase, min(float64(n)/float64(of), 1))
	}
}

// A sparseWriter leaves out what is zero.
type sparseWriter struct {
	f   *os.File
	off int64
}

// Write implements [io.Writer].
func (w *sparseWriter) Write(p []byte) (int, error) {
	if slices.ContainsFunc(p, func(b byte) bool { return b != 0 }) {
		if _, err := w.f.WriteAt(p, w.off); err != nil {
			return 0, err
		}
	}
	w.off += int64(len(p))
	return len(p), nil
}

// is refuses content that isn't what was recorded.
func (c Content) is(want Content) error {
	if c.SHA256 == want.SHA256 && (want.Size < 0 || c.Size == want.Size) {
		return nil
	}
	return fmt.Errorf("%d bytes with sha256 %s instead of %d with %s: %w", c.Size, c.SHA256, want.Size, want.SHA256, ErrCorrupt)
}
