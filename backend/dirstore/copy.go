package dirstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"cosafs/backend"
)

// step is how much is copied between two looks at ctx.
const step = 16 << 20

// fill copies a source into a new file and checks what arrived there.
func fill(ctx context.Context, f *os.File, src backend.Source) error {
	if err := transfer(ctx, f, src); err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if st.Size() != src.Size {
		return io.ErrUnexpectedEOF
	}
	if !src.Digested() {
		return nil
	}
	h := sha256.New()
	if err := copySteps(ctx, h, io.NewSectionReader(f, 0, src.Size), src.Size); err != nil {
		return err
	}
	if [sha256.Size]byte(h.Sum(nil)) != src.SHA256 {
		return backend.ErrDigest
	}
	return nil
}

func transfer(ctx context.Context, f *os.File, src backend.Source) error {
	if src.LocalPath == "" {
		return copySteps(ctx, f, io.NewSectionReader(src, 0, src.Size), src.Size)
	}
	local, err := os.Open(src.LocalPath)
	if err != nil {
		return err
	}
	defer func() { _ = local.Close() }() // read only
	if unix.IoctlFileClone(int(f.Fd()), int(local.Fd())) == nil {
		return nil
	}
	// Another file system, or one that shares no blocks.
	return copySparse(ctx, f, local, src.Size)
}

// copySparse copies the data of a file and leaves its holes holes.
func copySparse(ctx context.Context, dst, src *os.File, size int64) error {
	for off := int64(0); off < size; {
		data, hole := nextData(src, off, size)
		if _, err := src.Seek(data, io.SeekStart); err != nil {
			return err
		}
		if _, err := dst.Seek(data, io.SeekStart); err != nil {
			return err
		}
		if err := copySteps(ctx, dst, src, hole-data); err != nil {
			return err
		}
		off = hole
	}
	st, err := src.Stat()
	if err != nil {
		return err
	}
	return dst.Truncate(st.Size()) // a hole at the end; fill compares the length
}

// nextData finds the next run of data at or after off: [data, hole).
func nextData(f *os.File, off, size int64) (data, hole int64) {
	data, err := unix.Seek(int(f.Fd()), off, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return size, size // nothing but a hole to the end
	}
	if err != nil {
		return off, size // this file system tells no holes: all is data
	}
	hole, err = unix.Seek(int(f.Fd()), data, unix.SEEK_HOLE)
	if err != nil {
		hole = size
	}
	return min(data, size), min(hole, size)
}

// copySteps copies n bytes. Between two files the kernel copies
// (copy_file_range), which io.CopyN arranges.
func copySteps(ctx context.Context, dst io.Writer, src io.Reader, n int64) error {
	for n > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		c, err := io.CopyN(dst, src, min(n, step))
		if errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		n -= c
	}
	return nil
}
