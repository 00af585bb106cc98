// Package dirstore keeps builds in a directory as cosa lays it out, its builds/.
//
// [Store] is that directory as a backend.Store and backend.Writer. [Builds] is
// what only a workdir has: cosa's locks, the link "latest", publishing by
// rename. Both may be used by any number of processes at once, cosa among them.
//
// Whatever is unfinished carries a name that begins with a dot, so that nobody
// lists or uploads it, and says whose it is. What a killed process left behind
// is recognised by that and removed by [Builds.Sweep].
package dirstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"cosafs/backend"
)

// Config says which directory to use, and how.
type Config struct {
	Dir string // builds/ itself; it must exist
	// LockWait is how long to wait for a file that another process has locked; 0 = 30 s.
	LockWait time.Duration
}

// A Store is a directory as a [backend.Store] and [backend.Writer].
//
// Names that begin with a dot are the directory's own affairs (locks,
// semaphores, unfinished files): they are not listed and do not exist for Stat
// and Open, and keys with such a part can't be written. Symbolic links are
// followed within the directory, not out of it, and are not listed.
//
// Writes take cosa's lock of the key, so that conditions hold against cosa too
// where it locks (builds.json, meta.json).
type Store struct {
	dir  string // absolute
	root *os.Root
	self owner
	wait time.Duration
}

var (
	_ backend.Store  = (*Store)(nil)
	_ backend.Writer = (*Store)(nil)
)

// Open opens a directory. It changes nothing in it.
func Open(c Config) (*Store, error) {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("builds directory: %w", err)
	}
	self, err := thisProcess()
	if err != nil {
		return nil, fmt.Errorf("builds directory %s: %w", dir, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("builds directory: %w", err)
	}
	if c.LockWait == 0 {
		c.LockWait = 30 * time.Second
	}
	return &Store{dir: dir, root: root, self: self, wait: c.LockWait}, nil
}

// Properties implements [backend.Store].
func (s *Store) Properties() backend.Properties {
	return backend.Properties{Ranges: true, Lists: true, Conditions: true}
}

// Close implements [backend.Store].
func (s *Store) Close() error { return s.root.Close() }

// Builds gives the workdir's side of the directory. It needs no Close of its own.
func (s *Store) Builds() *Builds { return &Builds{s: s} }

// hidden says whether a key has a part that begins with a dot.
func hidden(key backend.Key) bool {
	return strings.HasPrefix(string(key), ".") || strings.Contains(string(key), "/.")
}

// writable checks a key that is to be written.
func writable(key backend.Key) error {
	if hidden(key) {
		return fmt.Errorf("names that begin with a dot are kept for locks: %w", fs.ErrInvalid)
	}
	return key.Check()
}

// fail wraps err with the operation and the whole path.
func (s *Store) fail(op string, key backend.Key, err error) error {
	err = bare(err)
	if errors.Is(err, syscall.EROFS) {
		err = fmt.Errorf("%w: %w", fs.ErrPermission, err)
	}
	return &fs.PathError{Op: op, Path: filepath.Join(s.dir, string(key)), Err: err}
}

// bare takes off what os.Root wraps an error in: its paths are relative to the
// root, and fail gives the whole one. Only the outermost layer goes, because what
// is further down may be a caller's.
func bare(err error) error {
	switch e := err.(type) { //nolint:errorlint // the outermost layer only
	case *fs.PathError:
		return e.Err
	case *os.LinkError:
		return e.Err
	case interface{ Unwrap() []error }:
		if all := e.Unwrap(); len(all) == 1 {
			return bare(all[0]) // errors.Join with nil
		}
	}
	return err
}

// dirName gives a key's name for os.Root, which calls the root ".".
func dirName(key backend.Key) string {
	if key == "" {
		return "."
	}
	return string(key)
}
