package materialize

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// scratchPath is the private directory of the job with the id.
func (r *Runner) scratchPath(id string) string { return filepath.Join(r.cfg.ScratchDir, id) }

// makeScratch makes the job's private directory.
func (r *Runner) makeScratch(id string) (string, error) {
	path := r.scratchPath(id)
	if err := os.Mkdir(path, 0o700); err != nil {
		return "", fmt.Errorf("make scratch directory: %w", err)
	}
	return path, nil
}

// sweepJob ends whatever a job left running and removes its scratch directory.
// What can't be removed is left to the next Recover.
func (r *Runner) sweepJob(ctx context.Context, id string) (killed, unmounted int) {
	killed, err := killJob(ctx, id)
	if err != nil {
		r.cfg.Log.Warn("ending the children of a job", "job", id, "err", err)
	}
	unmounted, err = removeScratch(r.scratchPath(id))
	if err != nil {
		r.cfg.Log.Warn("removing a scratch directory", "job", id, "err", err)
	}
	return killed, unmounted
}

// removeScratch deletes a directory and all below it. Mounts go first, and where
// one stays nothing is deleted: it may show a directory that isn't ours.
func removeScratch(path string) (unmounted int, err error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	unmounted, err = unmountBelow(path)
	if err != nil {
		return unmounted, err
	}
	if os.RemoveAll(path) == nil {
		return unmounted, nil
	}
	makeRemovable(path)
	return unmounted, os.RemoveAll(path)
}

// makeRemovable takes away what keeps files of our own from being removed:
// OSTree makes deployment roots immutable, and packages have directories that
// their owner may not write or read. Errors are left to the removal, which
// meets them again and says which file it was.
func makeRemovable(path string) {
	_ = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() && !d.Type().IsRegular() {
			return nil //nolint:nilerr // see above
		}
		clearFlags(p)
		if d.IsDir() {
			_ = os.Chmod(p, 0o700) // before WalkDir reads it; see above
		}
		return nil
	})
}

// The flags of linux/fs.h that keep a file from being removed; x/sys lacks them.
const (
	flagImmutable = 0x10
	flagAppend    = 0x20
)

// clearFlags does chattr -ia.
func clearFlags(path string) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	flags, err := unix.IoctlGetUint32(fd, unix.FS_IOC_GETFLAGS)
	const stuck = flagImmutable | flagAppend
	if err == nil && flags&stuck != 0 {
		_ = unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, int(flags&^stuck)) // see makeRemovable
	}
}
