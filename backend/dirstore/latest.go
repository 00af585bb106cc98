package dirstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"cosafs/backend"
)

// latest is cosa's link to the newest build; its target is the bare id.
const latest backend.Key = "latest"

// SetLatest makes the link latest point at a build, whose directory must exist,
// by replacing the link in one step.
func (b *Builds) SetLatest(ctx context.Context, id string) error {
	if err := errors.Join(checkID(id), ctx.Err()); err != nil {
		return b.s.fail("link latest to", backend.Key(id), err)
	}
	if st, err := b.s.root.Stat(id); err != nil || !st.IsDir() {
		return b.s.fail("link latest to", backend.Key(id), errors.Join(err, fs.ErrNotExist))
	}
	if err := b.s.setLatest(id); err != nil {
		return b.s.fail("link", latest, err)
	}
	return nil
}

func (s *Store) setLatest(id string) error {
	temp := s.tempName(latest)
	if err := s.root.Symlink(id, temp); err != nil {
		return err
	}
	err := s.root.Rename(temp, string(latest))
	if errors.Is(err, fs.ErrNotExist) {
		return s.setLatest(id) // a sweep took us for dead: owner.runs may be wrong
	}
	if err != nil {
		return errors.Join(err, s.remove(temp))
	}
	return s.syncDir("")
}

// Latest gives the id that latest points at; fs.ErrNotExist if there is no
// link, fs.ErrInvalid if it is no link or points at something else than a name
// beside it. Whether that build exists is another matter.
func (b *Builds) Latest() (string, error) {
	id, err := b.s.root.Readlink(string(latest))
	if err == nil {
		err = checkID(id)
	}
	if errors.Is(err, syscall.EINVAL) {
		err = fmt.Errorf("no link: %w", fs.ErrInvalid)
	}
	if err != nil {
		return "", b.s.fail("read link", latest, err)
	}
	return id, nil
}
