package scratch

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"syscall"

	"golang.org/x/net/webdav"
	"golang.org/x/sys/unix"
)

// target is the name that the request makes by writing; "" if it makes none so.
func (s *session) target() string {
	switch s.r.Method {
	case http.MethodPut, "LOCK":
		return s.name
	case "COPY":
		return s.dest
	}
	return ""
}

// stage chooses the place where what the request makes grows.
func (s *session) stage() {
	if s.temp == "" {
		s.temp = s.c.tree.newState()
	}
}

// create begins a file.
func (s *session) create(f files, name string, perm os.FileMode) (webdav.File, error) {
	if s.r.Method != "COPY" {
		if err := s.replace(name); err != nil {
			return nil, err
		}
	}
	s.stage()
	place := f.place(name)
	file, err := s.c.tree.root.OpenFile(place, os.O_RDWR|os.O_CREATE|os.O_EXCL|unix.O_CLOEXEC, perm|0o600)
	if err != nil {
		return nil, err
	}
	up := &upload{opened: &opened{file: file, s: s, name: name}}
	if err := s.keepProps(up); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return up, nil
}

// replace checks that a PUT can have its name, and reserves its bytes.
func (s *session) replace(name string) error {
	if err := s.c.tree.parent(name); err != nil {
		return err
	}
	switch fi, err := s.c.tree.look(name); {
	case err == nil && fi.IsDir():
		return &fs.PathError{Op: "create", Path: name, Err: syscall.EISDIR}
	case err == nil:
		s.replaced = true
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return s.budget.reserve(s.c.tree.space, announced(s.r))
}

// keepProps gives a new version of a file the properties of the old one.
func (s *session) keepProps(up *upload) error {
	if !s.replaced {
		return nil
	}
	old, err := s.c.tree.open(s.name)
	if err != nil {
		return err
	}
	raw, err := readProps(old)
	if err == nil && len(raw) > 0 {
		err = writeProps(up.file, raw)
	}
	return errors.Join(err, old.Close())
}

// commit gives what grew its name. A body that was cut off never gets so far;
// its length is checked once more all the same.
func (s *session) commit() error {
	if s.temp == "" {
		return nil
	}
	if n := announced(s.r); n >= 0 && n != s.written {
		return errCut
	}
	if err := s.c.tree.syncAll(s.temp); err != nil {
		return err
	}
	if err := s.c.tree.put(s.temp, s.target()); err != nil {
		return err
	}
	s.temp = ""
	s.budget.settle(s.c.tree.space, true)
	return nil
}

// abandon removes what grew for nothing.
func (s *session) abandon(ctx context.Context) {
	if s.temp != "" {
		if err := s.c.tree.root.RemoveAll(s.temp); err != nil {
			s.c.log.WarnContext(ctx, "scratch: a part of an upload stays until the next start", "err", err)
		}
		s.temp = ""
	}
	s.budget.settle(s.c.tree.space, false)
}
