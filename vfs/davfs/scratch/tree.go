package scratch

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A tree is the directory on disk. All paths go through an [os.Root]; what is
// neither a file nor a directory, links above all, is not followed, not shown and
// not opened.
type tree struct {
	root  *os.Root
	state *os.File // the state directory; its lock says that the tree is taken
	max   int64    // bytes of one file
	log   *slog.Logger
	space *space
	clock clock
}

// openTree takes the directory, and clears what a killed process left.
func openTree(cfg Config) (*tree, error) {
	root, err := os.OpenRoot(cfg.Dir)
	if err != nil {
		return nil, err
	}
	t := &tree{root: root, max: cfg.MaxBytes, log: cfg.Logger}
	if err := t.take(); err != nil {
		return nil, errors.Join(err, t.close())
	}
	used, err := t.size(top)
	if err != nil {
		return nil, errors.Join(err, t.close())
	}
	t.space = &space{quota: cfg.Quota, used: used}
	return t, nil
}

// take makes the state directory, locks and empties it. One that is locked is
// another collection's.
func (t *tree) take() error {
	if err := t.root.Mkdir(stateDir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	f, err := t.root.OpenFile(stateDir, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	t.state = f
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("another cosafs serves it: %w", errors.Join(fs.ErrExist, err))
	}
	left, err := f.ReadDir(-1)
	for _, entry := range left {
		err = errors.Join(err, t.root.RemoveAll(path.Join(stateDir, entry.Name())))
	}
	return err
}

// close gives the directory back.
func (t *tree) close() error {
	if t.state != nil {
		return errors.Join(t.state.Close(), t.root.Close())
	}
	return t.root.Close()
}

// look says what a name is. A link or a device on the way is [errNotPlain],
// whether it leads out of the tree or not: nothing in here was made by a client.
func (t *tree) look(name string) (fs.FileInfo, error) {
	for i := range name {
		if name[i] == '/' {
			if _, err := t.plain(name[:i]); err != nil {
				return nil, err
			}
		}
	}
	return t.plain(name)
}

// plain says what a name is whose parent is looked through.
func (t *tree) plain(name string) (fs.FileInfo, error) {
	info, err := t.root.Lstat(name)
	if errors.Is(err, syscall.ENOTDIR) {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	if err != nil {
		return nil, err
	}
	if !plainMode(info.Mode()) {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: errNotPlain}
	}
	return info, nil
}

func plainMode(m fs.FileMode) bool { return m.IsRegular() || m.IsDir() }

// open opens a file or directory for reading. O_NONBLOCK keeps what became a pipe
// in between from blocking.
func (t *tree) open(name string) (*os.File, error) {
	if _, err := t.look(name); err != nil {
		return nil, err
	}
	return t.root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
}

// parent checks that a name can be made.
func (t *tree) parent(name string) error {
	info, err := t.look(path.Dir(name))
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return &fs.PathError{Op: "create", Path: name, Err: errNoParent}
	}
	return err
}

// mkdir makes a directory that a crash does not take away again.
func (t *tree) mkdir(name string) error {
	if err := t.parent(name); err != nil {
		return err
	}
	if _, err := t.look(name); errors.Is(err, errNotPlain) {
		return err
	}
	if err := t.root.Mkdir(name, 0o777); err != nil {
		return err
	}
	return t.sync(path.Dir(name))
}

// size counts the bytes of all files at and below a name.
func (t *tree) size(name string) (int64, error) {
	var sum int64
	err := fs.WalkDir(t.root.FS(), name, func(_ string, d fs.DirEntry, err error) error {
		var info fs.FileInfo
		if err == nil && d.Type().IsRegular() {
			if info, err = d.Info(); err == nil {
				sum += info.Size()
			}
		}
		if errors.Is(err, fs.ErrInvalid) || errors.Is(err, fs.ErrNotExist) {
			// Package fs walks into no name that is not UTF-8; and files may vanish.
			return nil
		}
		return err
	})
	return sum, err
}

// sync makes a directory's entries survive a crash.
func (t *tree) sync(dir string) error {
	f, err := t.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// syncAll does so for all directories of a tree; its files are synced already.
func (t *tree) syncAll(name string) error {
	return fs.WalkDir(t.root.FS(), name, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return t.sync(p)
	})
}

// shown says whether a directory entry is listed.
func shown(dir string, info fs.FileInfo) bool {
	if dir == top && info.Name() == stateDir {
		return false
	}
	return plainMode(info.Mode()) && nameable(info.Name()) && !strings.Contains(info.Name(), "/")
}
