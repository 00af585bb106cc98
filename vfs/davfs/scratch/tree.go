package scratch

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A tree is the directory on disk. All paths go through an [os.Root]; what is
// neither a file nor a directory, links above all, is not followed, not shown and
// not opened.
type tree struct {
	root  *os.Root
	state *os.File // the state directory; its lock says that the tree is taken
	max   int64    // bytes of one file
	space *space
	clock clock
}

// openTree takes the directory, and clears what a killed process left.
func openTree(cfg Config) (*tree, error) {
	root, err := os.OpenRoot(cfg.Dir)
	if err != nil {
		return nil, err
	}
	t := &tree{root: root, max: cfg.MaxBytes}
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
	if err := t.root.Mkdir(name, 0o777); err != nil {
		return err
	}
	return t.sync(path.Dir(name))
}

// newState gives a name in the state directory that nothing has.
func (t *tree) newState() string { return path.Join(stateDir, rand.Text()) }

// put gives what was made the name it is for, at once: whoever looks sees all of
// the old or all of the new. Only a directory that is replaced is away for an
// instant. It returns how many bytes the old one had.
func (t *tree) put(from, to string) error {
	aside, size, err := t.setAside(from, to)
	if err != nil {
		return err
	}
	if err := t.root.Rename(from, to); err != nil {
		if aside != "" {
			err = errors.Join(err, t.root.Rename(aside, to))
		}
		return err
	}
	if err := errors.Join(t.sync(path.Dir(to)), t.sync(path.Dir(from))); err != nil {
		return err
	}
	if aside != "" {
		return t.discard(aside)
	}
	t.space.give(size)
	return nil
}

// setAside makes place for a rename, which replaces files with files only. It
// returns where the old directory is, or the size of the old file.
func (t *tree) setAside(from, to string) (aside string, size int64, err error) {
	old, err := t.look(to)
	if errors.Is(err, fs.ErrNotExist) {
		return "", 0, nil
	}
	if err != nil {
		return "", 0, err
	}
	made, err := t.look(from)
	if err != nil {
		return "", 0, err
	}
	if !old.IsDir() && !made.IsDir() {
		return "", old.Size(), nil
	}
	aside = t.newState()
	return aside, 0, t.root.Rename(to, aside)
}

// remove deletes a name with all below it, at once for whoever looks.
func (t *tree) remove(name string) error {
	if _, err := t.look(name); err != nil {
		return err
	}
	aside := t.newState()
	if err := t.root.Rename(name, aside); err != nil {
		return err
	}
	if err := t.sync(path.Dir(name)); err != nil {
		return err
	}
	return t.discard(aside)
}

// discard deletes what was set aside, and counts its bytes as free.
func (t *tree) discard(aside string) error {
	size, err := t.size(aside)
	if err != nil {
		return err
	}
	if err := t.root.RemoveAll(aside); err != nil {
		return err
	}
	t.space.give(size)
	return nil
}

// size counts the bytes of all files at and below a name.
func (t *tree) size(name string) (int64, error) {
	var sum int64
	err := fs.WalkDir(t.root.FS(), name, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sum += info.Size()
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

// A clock gives each new file a time of its own: an inode number is used again,
// and the kernel's clock stands still for milliseconds, so that two versions
// could look the same otherwise.
type clock struct {
	mu   sync.Mutex
	last time.Time // guarded by mu
}

func (c *clock) next() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now().Round(0)
	if !now.After(c.last) {
		now = c.last.Add(time.Nanosecond)
	}
	c.last = now
	return now
}
