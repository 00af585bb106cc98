package dirstore

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"time"

	"cosafs/backend"
)

// tempPurpose is what unfinished files that are no claims are named for.
const tempPurpose = ".tmp"

// Put implements [backend.Writer]: a file beside the target under a dot name,
// filled, checked, synced and then moved over it. Its mode is 0644.
func (s *Store) Put(ctx context.Context, key backend.Key, src backend.Source, cond backend.Cond) (backend.Info, error) {
	if err := errors.Join(writable(key), cond.Check(), ctx.Err()); err != nil {
		return backend.Info{}, s.fail("put", key, err)
	}
	info, err := s.put(ctx, key, src, cond)
	if err != nil {
		return backend.Info{}, s.fail("put", key, err)
	}
	return info, nil
}

func (s *Store) put(ctx context.Context, key backend.Key, src backend.Source, cond backend.Cond) (info backend.Info, err error) {
	f, temp, err := s.stage(ctx, s.deepest(key.Dir()), src)
	if err != nil {
		return backend.Info{}, err
	}
	defer func() { err = errors.Join(err, s.discard(f, temp)) }() // no name left if it was moved
	if err := s.mkdirs(key.Dir()); err != nil {
		return backend.Info{}, err
	}
	if err := s.install(ctx, temp, key, cond); err != nil {
		return backend.Info{}, err
	}
	st, err := f.Stat()
	if err != nil {
		return backend.Info{}, err
	}
	return infoOf(key, st)
}

// stage writes a source to an unfinished file in dir, ready to be moved.
//
// Its time is set because the kernel's own stamp is that of its last tick: two
// files that are written, and replaced, within one tick could share it, and
// the inode number too.
func (s *Store) stage(ctx context.Context, dir string, src backend.Source) (*os.File, string, error) {
	f, temp, err := s.createOwned(dir, tempPurpose)
	if err != nil {
		return nil, "", err
	}
	if err = fill(ctx, f, src); err == nil {
		now := time.Now()
		err = errors.Join(f.Chmod(0o644), s.root.Chtimes(temp, now, now), f.Sync())
	}
	if err != nil {
		return nil, "", errors.Join(err, s.discard(f, temp))
	}
	return f, temp, nil
}

// install moves a finished file over its target if the condition holds, and
// makes that last.
func (s *Store) install(ctx context.Context, temp string, key backend.Key, cond backend.Cond) error {
	var err error
	if cond.IfAbsent {
		err = s.root.Link(temp, string(key)) // one of all links succeeds, no lock needed
		if errors.Is(err, fs.ErrExist) {
			return backend.ErrCondition
		}
	} else {
		err = s.locked(ctx, key, cond, func() error { return s.root.Rename(temp, string(key)) })
	}
	if err != nil {
		return err
	}
	return s.syncDir(key.Dir())
}

// locked does one step on a file under its lock, if the condition holds.
func (s *Store) locked(ctx context.Context, key backend.Key, cond backend.Cond, step func() error) error {
	unlock, err := s.lock(ctx, key)
	if err != nil {
		return err
	}
	err = s.matches(key, cond)
	if err == nil {
		err = step()
	}
	return errors.Join(err, unlock())
}

func (s *Store) matches(key backend.Key, cond backend.Cond) error {
	if cond.IfMatch == "" {
		return nil
	}
	info, err := s.stat(key)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Version != cond.IfMatch {
		return backend.ErrCondition
	}
	return err
}

// Delete implements [backend.Writer].
func (s *Store) Delete(ctx context.Context, key backend.Key, cond backend.Cond) error {
	if err := errors.Join(writable(key), cond.CheckDelete(), ctx.Err()); err != nil {
		return s.fail("delete", key, err)
	}
	if _, err := s.stat(key); errors.Is(err, fs.ErrNotExist) {
		if cond.IfMatch != "" {
			return s.fail("delete", key, backend.ErrCondition)
		}
		return nil // nor is there, perhaps, a directory to put a lock in
	}
	err := s.locked(ctx, key, cond, func() error { return s.remove(string(key)) })
	if err == nil {
		err = s.syncDir(key.Dir())
	}
	if err != nil {
		return s.fail("delete", key, err)
	}
	return nil
}

// deepest gives the deepest directory at or above dir that exists. An
// unfinished file goes there: one that fails must not leave new directories.
func (s *Store) deepest(dir backend.Key) string {
	for dir != "" {
		if st, err := s.root.Stat(string(dir)); err == nil && st.IsDir() {
			break
		}
		dir = dir.Dir()
	}
	return dirName(dir)
}

// mkdirs makes a directory and those above it, each synced into its parent.
func (s *Store) mkdirs(dir backend.Key) error {
	if dir == "" {
		return nil
	}
	if st, err := s.root.Stat(string(dir)); err == nil && st.IsDir() {
		return nil
	}
	if err := s.mkdirs(dir.Dir()); err != nil {
		return err
	}
	if err := s.root.Mkdir(string(dir), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return s.syncDir(dir.Dir())
}

// syncDir makes the names in a directory survive a power failure.
func (s *Store) syncDir(dir backend.Key) error {
	d, err := s.root.Open(dirName(dir))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// tempName gives a new dot name in the directory of key, for what can't be held open.
func (s *Store) tempName(key backend.Key) string {
	return path.Join(dirName(key.Dir()), s.self.name(tempPurpose))
}
