package daemon

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// StateDir is where cosafs keeps its own state of a build directory, such as the
// daemon's lock and log: cache/cosafs in it. A build directory that this user may
// only read has it in the user's cache directory, and so have stores that are
// shown alone (see [StoresDir]).
func StateDir(workdir string) string {
	if filepath.Dir(workdir) == cacheDir() {
		return workdir
	}
	dir := filepath.Join(workdir, "cache", "cosafs")
	if Writable(dir) == nil {
		return dir
	}
	return filepath.Join(cacheDir(), digest(workdir))
}

// StoresDir is what stands for a build directory where stores are shown alone: a
// directory of their own in the user's cache directory.
func StoresDir(names []string) string {
	return filepath.Join(cacheDir(), digest(strings.Join(names, "\n")))
}

// cacheDir is this user's, for cosafs.
func cacheDir() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir() // no $HOME
	}
	return filepath.Join(cache, "cosafs")
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
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
