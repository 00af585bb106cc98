package scratch

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"path"
)

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
	t.space.give(size)
	t.discard(aside)
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
	t.discard(aside)
	return nil
}

// discard deletes what was set aside, if anything, and counts its bytes as free.
// To clients it is gone already, so that a failure is for the log.
func (t *tree) discard(aside string) {
	if aside == "" {
		return
	}
	size, err := t.size(aside)
	if err == nil {
		err = t.root.RemoveAll(aside)
	}
	if err != nil {
		t.log.Warn("scratch: what was deleted stays on the disk until the next start", "path", aside, "err", err)
		return
	}
	t.space.give(size)
}
