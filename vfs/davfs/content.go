package davfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"

	"cosafs/vfs"
)

// copy answers with the bytes, or with the range of them that is asked for. A
// complete local file goes by sendfile.
func (q *request) copy(blob vfs.Blob) {
	if local, ok := blob.LocalFile(); ok {
		if f, err := reopen(local); err == nil {
			defer func() { _ = f.Close() }() // only read
			http.ServeContent(q.w, q.r, "", q.modified(), f)
			return
		}
	}
	content := &content{ctx: q.r.Context(), blob: blob}
	out := &lateWriter{ResponseWriter: q.w, pieces: &q.door.pieces}
	http.ServeContent(out, q.r, "", q.modified(), content)
	err := errors.Join(content.err, out.err)
	switch {
	case err == nil:
		out.flush()
	case !out.begun:
		q.door.fail(q.w, q.r, q.path, err)
	default:
		q.door.log.Warn("answer cut off", "path", q.path, "err", err)
		panic(http.ErrAbortHandler) // else the client takes a part for the whole
	}
}

// reopen gives a file an offset of its own: that of a blob's file is shared by all
// who read it.
func reopen(f *os.File) (*os.File, error) {
	return os.Open(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
}

// content reads a blob in order, as [http.ServeContent] does. It keeps the error of a
// read, which that does not tell.
type content struct {
	ctx  context.Context // of the request: a read ends with it
	blob vfs.Blob
	at   int64
	err  error
}

var _ io.ReadSeeker = (*content)(nil)

// Read reads on. A blob that ends early is an error.
func (c *content) Read(p []byte) (int, error) {
	rest := c.blob.Size() - c.at
	if rest <= 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), rest)]
	n, err := c.blob.ReadAt(c.ctx, p, c.at)
	c.at += int64(n)
	if n == len(p) {
		return n, nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	c.err = fmt.Errorf("read at %d: %w", c.at, err)
	return n, c.err
}

// Seek moves the place of the next read.
func (c *content) Seek(offset int64, whence int) (int64, error) {
	at, err := seek(c.at, c.blob.Size(), offset, whence)
	c.at = at
	return at, err
}

func seek(at, size, offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += at
	case io.SeekEnd:
		offset += size
	}
	if offset < 0 {
		return at, errors.New("seek before the beginning")
	}
	return offset, nil
}

// unread is content that nobody reads: only its size counts.
type unread struct{ at, size int64 }

// Read is not called for a HEAD, nor where a condition has decided.
func (*unread) Read([]byte) (int, error) { return 0, errors.New("read of what was not opened") }

// Seek tells the size.
func (u *unread) Seek(offset int64, whence int) (int64, error) {
	at, err := seek(u.at, u.size, offset, whence)
	u.at = at
	return at, err
}

// A piece is what bytes are copied in.
type piece [256 << 10]byte

// A lateWriter writes the header when it has the first bytes, so that a first read
// that fails has an answer of its own; then it copies in large pieces.
type lateWriter struct {
	http.ResponseWriter
	pieces *sync.Pool // of *piece
	status int        // 0 is none yet
	begun  bool
	err    error // of a write
}

// WriteHeader keeps the status.
func (l *lateWriter) WriteHeader(status int) { l.status = status }

// Write writes the header and p: text of ServeContent's own, such as an error.
func (l *lateWriter) Write(p []byte) (int, error) {
	l.flush()
	n, err := l.ResponseWriter.Write(p)
	if err != nil {
		l.err = err
	}
	return n, err
}

// ReadFrom copies src.
func (l *lateWriter) ReadFrom(src io.Reader) (sum int64, err error) {
	buf, ok := l.pieces.Get().(*piece)
	if !ok {
		buf = new(piece)
	}
	defer l.pieces.Put(buf)
	for {
		n, err := io.ReadAtLeast(src, buf[:], 1)
		if n > 0 {
			if _, err := l.Write(buf[:n]); err != nil {
				return sum, err
			}
			sum += int64(n)
		}
		switch {
		case errors.Is(err, io.EOF):
			return sum, nil
		case err != nil:
			return sum, err
		}
	}
}

// flush writes the header, once.
func (l *lateWriter) flush() {
	if !l.begun {
		l.begun = true
		if l.status != 0 {
			l.ResponseWriter.WriteHeader(l.status)
		}
	}
}
