package dirstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"cosafs/backend"
)

// Builds is what a workdir's builds/ has beyond a store. All methods are safe
// for concurrent use by any number of processes. What they did survives a crash
// once they have returned, and a crash before leaves the old state and perhaps
// something for [Builds.Sweep].
//
// Errors carry the whole path; a directory that may not be written, or lies on
// a read-only file system, is fs.ErrPermission.
type Builds struct {
	s *Store
}

// Lock locks a file (builds.json, <id>/<arch>/meta.json) as cosa does, with the
// lock .<name>.lock beside it. It waits while another process or goroutine has
// the lock: until ctx ends, or for Config.LockWait, after which the error is a
// *[LockedError]. A lock that a dead process of ours left is broken; one that
// cosa or another machine left is not.
//
// unlock gives ErrNotLocked if somebody broke the lock meanwhile. It may
// be called more than once.
func (b *Builds) Lock(ctx context.Context, file backend.Key) (unlock func() error, err error) {
	if err := errors.Join(writable(file), ctx.Err()); err != nil {
		return nil, b.s.fail("lock", file, err)
	}
	return b.s.lock(ctx, file)
}

// Publish makes a finished directory the directory of one build for one
// architecture ("<id>/<arch>"), by one rename. staging has to lie on the same
// file system; it is gone afterwards. Everything in it is synced, and its mode
// becomes 0755; files keep their modes. A directory that is there already and
// not empty is fs.ErrExist.
func (b *Builds) Publish(ctx context.Context, staging string, dir backend.Key) error {
	if err := errors.Join(writable(dir), ctx.Err()); err != nil {
		return b.s.fail("publish", dir, err)
	}
	if err := syncTree(ctx, staging); err != nil {
		return fmt.Errorf("publish %s: %w", dir, err)
	}
	if err := b.s.publish(staging, dir); err != nil {
		return b.s.fail("publish", dir, sameFS(err))
	}
	return nil
}

func (s *Store) publish(staging string, dir backend.Key) error {
	if err := os.Chmod(staging, 0o755); err != nil {
		return err
	}
	if err := s.mkdirs(dir.Dir()); err != nil {
		return err
	}
	return s.inDir(dir.Dir(), func(parent int) error {
		return unix.Renameat(unix.AT_FDCWD, staging, parent, dir.Base())
	})
}

// inDir does something in a directory of the root, given as a descriptor because
// os.Root takes nothing in from outside, and syncs the directory then.
func (s *Store) inDir(dir backend.Key, do func(fd int) error) error {
	d, err := s.root.Open(dirName(dir))
	if err != nil {
		return err
	}
	err = do(int(d.Fd()))
	if err == nil {
		err = d.Sync()
	}
	return errors.Join(err, d.Close())
}

// sameFS explains EXDEV.
func sameFS(err error) error {
	if errors.Is(err, unix.EXDEV) {
		return fmt.Errorf("%w: the workdir's tmp/ and builds/ must be on one file system", err)
	}
	return err
}

// syncTree makes a directory's content survive a power failure.
func syncTree(ctx context.Context, dir string) error {
	return filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || !e.IsDir() && !e.Type().IsRegular() {
			return err
		}
		return syncPath(p)
	})
}

func syncPath(p string) error {
	f, err := os.Open(p)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// RemoveBuild deletes a build for all its architectures. It is moved aside by
// one rename first, so that its name never stands for half of it. A build
// that isn't there is fs.ErrNotExist. builds.json and latest are the caller's.
func (b *Builds) RemoveBuild(ctx context.Context, id string) error {
	key := backend.Key(id)
	if err := errors.Join(checkID(id), ctx.Err()); err != nil {
		return b.s.fail("remove", key, err)
	}
	aside := b.s.tempName(key)
	err := b.s.root.Rename(id, aside)
	if err == nil {
		err = b.s.syncDir("")
	}
	if err == nil {
		err = b.s.root.RemoveAll(aside)
	}
	if err != nil {
		return b.s.fail("remove", key, err)
	}
	return nil
}

// checkID checks that a build id is one name.
func checkID(id string) error {
	if backend.Key(id).Dir() != "" {
		return fmt.Errorf("build id %q: %w", id, fs.ErrInvalid)
	}
	return writable(backend.Key(id))
}
