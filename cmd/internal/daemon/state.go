package daemon

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// StateDir is where cosafs keeps its own state of a build directory, such as the
// daemon's lock and log: cache/cosafs in it. A build directory that this user may
// only read has it in the user's cache directory.
func StateDir(workdir string) string {
	dir := filepath.Join(workdir, "cache", "cosafs")
	if Writable(dir) == nil {
		return dir
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir() // no $HOME
	}
	sum := sha256.Sum256([]byte(workdir))
	return filepath.Join(cache, "cosafs", hex.EncodeToString(sum[:8]))
}

// Writable says why this user can't write to dir or, where that isn't there yet,
// to the directory that it will be made in; nil if nothing is in the way. A full
// disk is not.
func Writable(dir string) error {
	err := unix.Access(dir, unix.W_OK|unix.X_OK)
	if errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir) {
		return Writable(filepath.Dir(dir))
	}
	if err != nil {
		return &fs.PathError{Op: "write to", Path: dir, Err: err}
	}
	return nil
}
