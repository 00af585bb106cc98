package davfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"sync"
	"syscall"

	"cosafs/vfs"
)

// copy answers with the bytes, or with the range of them that is asked for. An error
// means that nothing is answered yet; one that comes later cuts the answer off, since
// the client would take a part for the whole.
func (q *request) copy(ctx context.Context, blob vfs.Blob) error {
	out := &lateWriter{ResponseWriter: q.w, pieces: &q.door.pieces}
	err := q.pour(ctx, out, blob)
	switch {
	case err == nil:
		out.flush()
		return nil
	case !out.begun:
		return err
	case ctx.Err() != nil || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET):
		q.door.log.Debug("client left", "path", q.path, "err", err)
	default:
		q.door.log.Warn("answer cut off", "path", q.path, "err", err)
	}
	panic(http.ErrAbortHandler)
}

// pour writes the blob to out. A complete local file goes by sendfile, which TLS
// has no use for.
func (q *request) pour(ctx context.Context, out *lateWriter, blob vfs.Blob) error {
	if local, ok := blob.LocalFile(); ok && q.r.TLS == nil {
		if f, err := reopen(local); err == nil {
			defer func() { _ = f.Close() }() // only read
			http.ServeContent(out, q.r, "", q.attr.ModTime, f)
			return out.err
		}
	}
	ctx, stop := context.WithCancel(ctx)
	src := &content{ctx: ctx, blob: blob}
	if q.attr.Generated { // no version to compare, and no ranges of it
		_, _ = out.ReadFrom(src) // both keep their errors
	} else {
		http.ServeContent(out, q.r, "", q.attr.ModTime, src)
	}
	stop()
	return errors.Join(src.end(), out.err)
}

// reopen gives a file an offset of its own: that of a blob's file is shared by all
// who read it.
func reopen(f *os.File) (*os.File, error) {
	return os.Open(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
}

// content reads a blob in order, as [http.ServeContent] does. It keeps the error of a
// read, which that does not tell. Of several ranges that reads in a goroutine, which
// it leaves behind when the client is gone: end waits for its last read.
type content struct {
	ctx  context.Context // of the request: a read ends with it
	blob vfs.Blob
	at   int64 // only the reader's

	mu    sync.Mutex // held by a read, and guards what follows
	ended bool
	err   error
}

var _ io.ReadSeeker = (*content)(nil)

// end forbids further reads, and gives the error of those before.
func (c *content) end() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	return c.err
}

// Read reads on. A blob that ends early is an error.
func (c *content) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	rest := c.blob.Size() - c.at
	switch {
	case c.ended:
		return 0, fs.ErrClosed
	case rest <= 0:
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
