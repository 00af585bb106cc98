package dirstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"cosafs/backend"
)

// BesideName is the hidden name of a file that is to take the place of name in the
// same directory. version tells it from others that are to do so.
func BesideName(name, version string) string { return "." + name + "." + version }

// PutBeside moves a finished file into a build's directory, read-only, under the
// name that [BesideName] gives for key ("<id>/<arch>/<name>"). staged has to lie on
// the same file system; it is gone afterwards. One that lay there is replaced:
// equal versions have equal bytes. The directory must exist.
func (b *Builds) PutBeside(ctx context.Context, staged string, key backend.Key, version string) error {
	if err := errors.Join(checkBeside(key, version), ctx.Err()); err != nil {
		return b.s.fail("add", key, err)
	}
	if err := readOnly(staged); err != nil {
		return fmt.Errorf("add %s: %w", key, err)
	}
	err := b.s.inDir(key.Dir(), func(dir int) error {
		return unix.Renameat(unix.AT_FDCWD, staged, dir, BesideName(key.Base(), version))
	})
	if err != nil {
		return b.s.fail("add", key, sameFS(err))
	}
	return nil
}

// TakePlace gives a file of [Builds.PutBeside] the name of key, in one step. Who has
// the file of before open reads on. If there is none, fs.ErrNotExist.
func (b *Builds) TakePlace(key backend.Key, version string) error {
	return b.beside("replace", key, version, func(dir int, name string) error {
		return unix.Renameat(dir, name, dir, key.Base())
	})
}

// DropBeside deletes a file of [Builds.PutBeside]. If there is none, fs.ErrNotExist.
func (b *Builds) DropBeside(key backend.Key, version string) error {
	return b.beside("remove", key, version, func(dir int, name string) error {
		return unix.Unlinkat(dir, name, 0)
	})
}

func (b *Builds) beside(op string, key backend.Key, version string, do func(dir int, name string) error) error {
	err := checkBeside(key, version)
	if err == nil {
		err = b.s.inDir(key.Dir(), func(dir int) error { return do(dir, BesideName(key.Base(), version)) })
	}
	if err != nil {
		return b.s.fail(op, key, err)
	}
	return nil
}

// checkBeside refuses what would lead out of the directory.
func checkBeside(key backend.Key, version string) error {
	if version == "" || strings.Contains(version, "/") {
		return fmt.Errorf("version %q: %w", version, fs.ErrInvalid)
	}
	return writable(key)
}
