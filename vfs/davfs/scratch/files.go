package scratch

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"strings"

	"golang.org/x/net/webdav"
)

// files is the file system that x/net/webdav sees for one request. Names are
// those it gets; below the place that the request makes they lead to where it
// grows.
//
// An error other than absence is noted in the session, since x/net/webdav
// answers 404 or 405 to most of them.
type files struct{ s *session }

var _ webdav.FileSystem = files{}

// place says where a name is: in the tree, or in what the request makes.
func (f files) place(name string) string {
	n, target := clean(name), f.s.target()
	if f.s.temp != "" && target != "" && within(n, target) {
		return f.s.temp + strings.TrimPrefix(n, target)
	}
	return n
}

// note keeps an error for the answer.
func (f files) note(err error) error {
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.s.fail(err)
	}
	return err
}

// Mkdir makes a directory at once, or in the copy that grows.
func (f files) Mkdir(_ context.Context, name string, _ os.FileMode) error {
	if f.s.r.Method != "COPY" {
		return f.note(f.s.c.tree.mkdir(clean(name)))
	}
	f.s.stage()
	if err := f.s.c.tree.root.Mkdir(f.place(name), 0o777); err != nil {
		return f.note(err)
	}
	return f.note(f.copyProps(name))
}

// OpenFile opens what exists for reading: x/net/webdav asks to write only to set
// properties, which takes no such file. With O_CREATE it begins a new file.
func (f files) OpenFile(_ context.Context, name string, flag int, perm os.FileMode) (webdav.File, error) {
	if flag&os.O_CREATE != 0 {
		up, err := f.s.create(f, clean(name), perm)
		if err != nil {
			return nil, f.note(err)
		}
		return up, nil
	}
	file, err := f.s.c.tree.open(f.place(name))
	if err != nil {
		return nil, f.note(err)
	}
	return &opened{file: file, s: f.s, name: clean(name)}, nil
}

// RemoveAll deletes for DELETE. What COPY and MOVE replace is kept until its
// successor is there: x/net/webdav would lose it when the copy fails.
func (f files) RemoveAll(_ context.Context, name string) error {
	n := clean(name)
	if f.s.r.Method != http.MethodDelete {
		return nil
	}
	if err := f.s.c.tree.remove(n); err != nil {
		return f.note(err)
	}
	f.s.c.locks.forget(n)
	return nil
}

// Rename moves; what is at the new name is replaced.
func (f files) Rename(_ context.Context, oldName, newName string) error {
	from, to := clean(oldName), clean(newName)
	if err := f.s.c.tree.put(from, to); err != nil {
		return f.note(err)
	}
	f.s.c.locks.forget(from)
	return nil
}

// Stat says what is at a name. While a copy grows, x/net/webdav asks for the
// names in it.
func (f files) Stat(_ context.Context, name string) (os.FileInfo, error) {
	fi, err := f.s.c.tree.look(f.place(name))
	if err != nil {
		return nil, f.note(err)
	}
	return info{fi}, nil
}

// An info adds what x/net/webdav would find out by reading the file.
type info struct{ fs.FileInfo }

var (
	_ webdav.ETager       = info{}
	_ webdav.ContentTyper = info{}
)

// ETag gives the strong entity tag of the file's bytes.
func (i info) ETag(context.Context) (string, error) { return entityTag(i.FileInfo), nil }

// ContentType gives the type by the name; bytes are not looked at.
func (i info) ContentType(context.Context) (string, error) { return contentType(i.Name()), nil }
