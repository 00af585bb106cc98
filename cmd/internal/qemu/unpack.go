package qemu

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"cosafs/cmd/internal/inflate"
)

// nameless makes a file that has no name any more.
func nameless(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "cosafs-run-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// unpack writes what a compressed file holds to a file without a name. Of a tar
// (gcp's) it is the disk in it, whose name is given, too.
func unpack(ctx context.Context, path, dir string) (f *os.File, inside string, err error) {
	src, err := os.Open(path)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = src.Close() }() // read only
	plain, err := inflate.New(ctx, path, src)
	if err != nil {
		return nil, "", unpackError(path, err)
	}
	defer func() { _ = plain.Close() }() // read only
	var r io.Reader = plain
	if name, _ := inflate.Plain(path); strings.HasSuffix(name, ".tar") {
		members := tar.NewReader(plain)
		disk, err := diskIn(members)
		if err != nil {
			return nil, "", unpackError(path, err)
		}
		r, inside = members, disk.Name
	}
	if f, err = nameless(dir); err != nil {
		return nil, "", unpackError(path, err)
	}
	if err := copySparse(ctx, f, r); err != nil {
		return nil, "", errors.Join(unpackError(path, err), f.Close())
	}
	return f, inside, nil
}

func unpackError(path string, err error) error {
	return fmt.Errorf("unpack %s: %w", path, err)
}

// diskIn goes to the first file of a tar that is an image.
func diskIn(members *tar.Reader) (*tar.Header, error) {
	for {
		h, err := members.Next()
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("no disk in it: %w", fs.ErrNotExist)
		}
		if err != nil {
			return nil, err
		}
		if _, ok := formatOf(h.Name); ok {
			return h, nil
		}
	}
}

// hole is the size in bytes of the smallest hole that is made.
const hole = 64 << 10

// copySparse writes a stream, but for what is zeros: disks are mostly that.
func copySparse(ctx context.Context, to *os.File, from io.Reader) error {
	buf, zeros := make([]byte, hole), make([]byte, hole)
	var at int64
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := fill(from, buf)
		if n > 0 && !bytes.Equal(buf[:n], zeros[:n]) {
			if _, err := to.WriteAt(buf[:n], at); err != nil {
				return err
			}
		}
		at += int64(n)
		switch {
		case errors.Is(err, io.EOF):
			return to.Truncate(at)
		case err != nil:
			return err
		}
	}
}

// fill reads until buf is full or r fails. It is not io.ReadFull, whose error for
// an end within buf is that of streams which were cut off.
func fill(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var more int
		more, err = r.Read(buf[n:])
		n += more
	}
	return n, err
}
