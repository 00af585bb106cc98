package dirstore

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"cosafs/backend"
)

// breakDead removes a lock file if its owner is one of us and dead; nil says
// that no lock is there now. errAlive means that the lock stays: its owner lives,
// or can't be judged from here. A foreign lock stays even when its time is over: its holder may be
// asleep, and cosa's own rule (break it then) lets two writers meet.
func (s *Store) breakDead(lock string) error {
	f, err := s.root.Open(lock)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // read only
	claim, o, ok := holder(f)
	if !ok || !o.near(s.self) {
		return errAlive
	}
	return s.bury(f, lock, path.Join(path.Dir(lock), claim))
}

// bury removes a lock file and its claim, both names of f. Holding f
// keeps other breakers out, and looking at the name again after that
// makes sure that none of them was faster and it is a new lock by now.
func (s *Store) bury(f *os.File, lock, claim string) error {
	if err := hold(f); err != nil {
		return err
	}
	if s.same(f, lock) {
		if err := s.remove(lock); err != nil {
			return err
		}
	}
	return s.remove(claim)
}

// remove removes a name, if it is there.
func (s *Store) remove(name string) error {
	err := s.root.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// holder reads a lock file: the name of its claim, and whose that is.
func holder(f *os.File) (claim string, o owner, ok bool) {
	b, err := io.ReadAll(io.LimitReader(f, 8192)) // two paths' worth
	if err != nil {
		return "", owner{}, false
	}
	claim = filepath.Base(string(b))
	_, o, ok = parseOwner(claim)
	return claim, o, ok
}

// lockedError describes the lock of a file as it is now.
func (s *Store) lockedError(key backend.Key) error {
	lock := lockPath(key)
	e := &LockedError{Target: filepath.Join(s.dir, string(key)), File: filepath.Join(s.dir, lock)}
	f, err := s.root.Open(lock)
	if err != nil {
		return e // just gone
	}
	defer func() { _ = f.Close() }() // read only
	if _, o, ok := holder(f); ok {
		e.Holder = o.String()
	}
	return e
}
