package dirstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"cosafs/backend"
)

// AddFile moves a finished file into a build's directory
// ("<id>/<arch>/<name>"), read-only for all as cosa makes its artifacts. staged
// has to lie on the same file system; it is gone afterwards. If a file of that
// name is there already, one with the same bytes is as good, any other is
// fs.ErrExist. The directory must exist.
func (b *Builds) AddFile(ctx context.Context, staged string, key backend.Key) error {
	if err := errors.Join(writable(key), ctx.Err()); err != nil {
		return b.s.fail("add", key, err)
	}
	if err := readOnly(staged); err != nil {
		return fmt.Errorf("add %s: %w", key, err)
	}
	err := b.s.inDir(key.Dir(), func(dir int) error {
		// Linking, unlike renaming, never replaces a file.
		return unix.Linkat(unix.AT_FDCWD, staged, dir, key.Base(), 0)
	})
	if errors.Is(err, fs.ErrExist) {
		err = b.s.equal(ctx, staged, key)
	}
	if err != nil {
		return b.s.fail("add", key, sameFS(err))
	}
	return os.Remove(staged)
}

// readOnly takes the write permissions of a file away and syncs it.
func readOnly(p string) error {
	f, err := os.Open(p)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err == nil {
		err = f.Chmod(st.Mode().Perm() &^ 0o222)
	}
	return errors.Join(err, f.Sync(), f.Close())
}

// equal gives fs.ErrExist unless both files have the same bytes.
func (s *Store) equal(ctx context.Context, staged string, key backend.Key) error {
	a, err := os.Open(staged)
	if err != nil {
		return err
	}
	defer func() { _ = a.Close() }() // read only
	b, err := s.openFile(key)
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }() // read only
	same, err := sameBytes(ctx, a, b)
	if err == nil && !same {
		err = fs.ErrExist
	}
	return err
}

func sameBytes(ctx context.Context, a, b io.Reader) (bool, error) {
	x, y := make([]byte, 1<<20), make([]byte, 1<<20)
	for {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		n, errA := io.ReadFull(a, x)
		m, errB := io.ReadFull(b, y)
		if !bytes.Equal(x[:n], y[:m]) {
			return false, nil
		}
		if atEnd(errA) && atEnd(errB) {
			return true, nil
		}
		if err := errors.Join(errA, errB); err != nil {
			return false, err
		}
	}
}

func atEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
