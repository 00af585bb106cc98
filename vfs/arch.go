package vfs

import (
	"context"
	"io/fs"
	"slices"
	"strings"
	"time"

	"cosafs/materialize"
)

// archDir holds the files of one build for one architecture. It lists what is
// recorded; what could be made resolves all the same. In next/ nothing is
// recorded, so that nothing is listed.
type archDir struct {
	fs          *FS
	build, arch string
}

var _ Dir = (*archDir)(nil)

func (d *archDir) path() string { return join(d.build, d.arch) }

// find gives the directory in the index and its date, which need no look at its
// files. One of next/ is not in the index: nil.
func (d *archDir) find(op string) (*Arch, time.Time, error) {
	v := d.fs.current()
	if d.build == materialize.Next {
		if !slices.Contains(v.snap.Next, d.arch) {
			return nil, time.Time{}, pathError(op, d.path(), fs.ErrNotExist)
		}
		return nil, v.newest(), nil
	}
	a, ok := v.arch(d.build, d.arch)
	if !ok {
		return nil, time.Time{}, pathError(op, d.path(), fs.ErrNotExist)
	}
	return a, v.builds[d.build].Time, nil
}

// files gives the listed files and the directory's date.
func (d *archDir) files(op string) ([]Entry, time.Time, error) {
	a, mtime, err := d.find(op)
	if a == nil || err != nil {
		return nil, mtime, err
	}
	files, err := a.Files()
	return files, mtime, pathError(op, d.path(), err)
}

func (d *archDir) Attr(context.Context) (Attr, error) {
	_, mtime, err := d.find("stat")
	if err != nil {
		return Attr{}, err
	}
	if d.build == materialize.Next {
		return dirAttr(d.path(), mtime, short), nil
	}
	return dirAttr(d.path(), mtime, long), nil
}

// listed gives the recorded files in name order; with all also what could be made.
func (d *archDir) listed(ctx context.Context, all bool) ([]Entry, error) {
	files, _, err := d.files("readdir")
	if err != nil {
		return nil, err
	}
	list := slices.DeleteFunc(slices.Clone(files), func(e Entry) bool { return !validName(e.Name) })
	if all {
		for _, e := range d.fs.lib.Buildable(ctx, d.build, d.arch) {
			if validName(e.Name) {
				list = append(list, e)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(list, func(a, b Entry) bool { return a.Name == b.Name }), nil
}

func (d *archDir) Entries(ctx context.Context) ([]Dirent, error) {
	list, err := d.listed(ctx, d.fs.opts.ListBuildable)
	return dirents(list), err
}

func (d *archDir) Lookup(ctx context.Context, name string) (Node, error) {
	files, mtime, err := d.files("lookup")
	if err != nil {
		return nil, err
	}
	if e, ok := findEntry(files, name); ok {
		return &file{d.fs, e}, nil
	}
	if !validName(name) {
		return nil, pathError("lookup", join(d.path(), name), fs.ErrNotExist)
	}
	e, err := d.fs.lib.Resolve(ctx, d.build, d.arch, name)
	if err != nil {
		return nil, pathError("lookup", join(d.path(), name), err)
	}
	if e.Name == name {
		return &file{d.fs, e}, nil
	}
	if !validName(e.Name) {
		return nil, pathError("lookup", join(d.path(), name), fs.ErrNotExist)
	}
	return &link{dir: d.path(), name: name, target: e.Name, mtime: mtime, valid: short}, nil
}

// dirents lists files, leaving out names that no directory can hold.
func dirents(files []Entry) []Dirent {
	list := make([]Dirent, 0, len(files)+1)
	for i := range files {
		if validName(files[i].Name) {
			list = append(list, files[i].dirent())
		}
	}
	return list
}

func (e *Entry) dirent() Dirent {
	ino, _ := e.identity()
	return Dirent{Name: e.Name, Ino: ino}
}
