package dirstore

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"
)

// Sweep removes what dead processes of ours left behind: unfinished files,
// builds that were half deleted, claims and locks. What belongs to cosa, to
// another machine or to a living process stays. It may run at any time.
func (b *Builds) Sweep(ctx context.Context) error {
	err := fs.WalkDir(b.s.root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // others work here as well
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		purpose, o, ok := parseOwner(path.Base(name))
		if !ok || !o.near(b.s.self) {
			return nil
		}
		return b.s.sweep(name, purpose, o, e)
	})
	if err != nil {
		return b.s.fail("sweep", "", err)
	}
	return nil
}

func (s *Store) sweep(name, purpose string, o owner, e fs.DirEntry) error {
	switch {
	case e.IsDir():
		// Moved aside to be deleted; deleting it twice at once does no harm.
		if err := s.root.RemoveAll(name); err != nil {
			return err
		}
		return fs.SkipDir
	case e.Type().IsRegular():
		return s.sweepFile(name, purpose)
	case e.Type() == fs.ModeSymlink && !o.runs(s.self):
		return s.remove(name)
	}
	return nil
}

// sweepFile removes a dead process's file, and the lock that it is the claim of.
func (s *Store) sweepFile(name, purpose string) error {
	f, err := s.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // read only
	if strings.HasSuffix(purpose, ".lock") {
		err = s.bury(f, path.Join(path.Dir(name), purpose), name)
	} else if err = hold(f); err == nil {
		err = s.remove(name)
	}
	if errors.Is(err, errAlive) {
		return nil
	}
	return err
}
