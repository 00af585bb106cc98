package materialize

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// sumBuffer is what is read at once to hash it, in bytes.
const sumBuffer = 1 << 20

// hashFile gives a file's sha256 and size. Holes are hashed as zeros without
// being read.
func hashFile(ctx context.Context, path string) (string, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = f.Close() }() // read only
	st, err := f.Stat()
	if err != nil {
		return "", 0, err
	}
	h, buf, zeros := sha256.New(), make([]byte, sumBuffer), make([]byte, sumBuffer)
	for off := int64(0); off < st.Size(); {
		data, hole, err := nextData(f, off, st.Size())
		if err != nil {
			return "", 0, err
		}
		if err := copyZeros(ctx, h, data-off, zeros); err != nil {
			return "", 0, err
		}
		if err := copySection(ctx, h, f, data, hole-data, buf); err != nil {
			return "", 0, err
		}
		off = hole
	}
	return hex.EncodeToString(h.Sum(nil)), st.Size(), nil
}

// nextData finds the next run of data at or after off: [data, hole).
func nextData(f *os.File, off, size int64) (data, hole int64, err error) {
	data, err = unix.Seek(int(f.Fd()), off, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return size, size, nil // nothing but a hole to the end
	}
	if err != nil {
		return off, size, nil // no SEEK_DATA here: all of it is data
	}
	hole, err = unix.Seek(int(f.Fd()), data, unix.SEEK_HOLE)
	return data, hole, err
}

// copyZeros writes n zeros, of which zeros has some.
func copyZeros(ctx context.Context, w io.Writer, n int64, zeros []byte) error {
	for n > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		c := min(n, int64(len(zeros)))
		if _, err := w.Write(zeros[:c]); err != nil {
			return err
		}
		n -= c
	}
	return nil
}

// copySection writes n bytes of r, which must have them, by way of buf.
func copySection(ctx context.Context, w io.Writer, r io.ReaderAt, off, n int64, buf []byte) error {
	for n > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		c, err := r.ReadAt(buf[:min(n, int64(len(buf)))], off)
		if c == 0 && err != nil {
			return err
		}
		if _, err := w.Write(buf[:c]); err != nil {
			return err
		}
		off, n = off+int64(c), n-int64(c)
	}
	return nil
}

func modTime(path string) time.Time {
	st, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return st.ModTime()
}

// writeGzip compresses content into a new read-only file, without a name or a
// time in its header: the same content gives the same file.
func writeGzip(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return err
	}
	z := gzip.NewWriter(f)
	_, err = z.Write(content)
	return errors.Join(err, z.Close(), f.Close())
}

// touch notes that a file was used, for whoever clears the oldest away. Where it
// can't it is only cleared sooner.
func touch(path string) {
	now := time.Now()
	_ = os.Chtimes(path, now, now)
}
