package vfs

import (
	"context"
	"io/fs"
	"slices"
	"time"

	"cosafs/materialize"
)

// dirAttr describes a directory.
func dirAttr(path string, mtime time.Time, valid time.Duration) Attr {
	ino, gen := identify("dir", path)
	return dirAttrOf(ino, gen, mtime, valid)
}

func dirAttrOf(ino, gen uint64, mtime time.Time, valid time.Duration) Attr {
	return Attr{Ino: ino, Gen: gen, Mode: fs.ModeDir | 0o555, ModTime: mtime, Nlink: 1, EntryValid: valid, AttrValid: valid}
}

// dirDirent lists a directory; path is below the root.
func dirDirent(path string) Dirent {
	ino, gen := identify("dir", path)
	return Dirent{Name: base(path), Ino: ino, Mode: fs.ModeDir, gen: gen}
}

// rootDir is the top: builds.json, latest, the builds, next and .cosafs.
type rootDir struct{ fs *FS }

var (
	_ Dir    = (*rootDir)(nil)
	_ lister = (*rootDir)(nil)
)

func (d *rootDir) Attr(context.Context) (Attr, error) {
	return dirAttr("", d.fs.current().newest(), short), nil
}

func (d *rootDir) Entries(context.Context) ([]Dirent, error) { return d.fs.current().root, nil }

// children takes the builds from the view: ten thousand lookups would hash as many
// paths again.
func (d *rootDir) children(ctx context.Context, _ bool) ([]Child, error) {
	v := d.fs.current()
	list := make([]Child, 0, len(v.root))
	for _, e := range v.root {
		if b, ok := v.builds[e.Name]; ok {
			list = append(list, Child{e.Name, &buildDir{d.fs, e.Name}, dirAttrOf(e.Ino, e.gen, b.Time, long)})
			continue
		}
		var err error
		if list, err = lookUpChild(ctx, list, d, e.Name); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (d *rootDir) Lookup(_ context.Context, name string) (Node, error) {
	v := d.fs.current()
	switch {
	case name == controlName:
		return &controlDir{d.fs}, nil
	case name == nextName && len(v.snap.Next) > 0:
		return &nextDir{d.fs}, nil
	case name == latestName && v.snap.Latest != "":
		return &link{name: latestName, target: v.snap.Latest, mtime: v.newest(), valid: short}, nil
	}
	if _, ok := v.builds[name]; ok {
		return &buildDir{d.fs, name}, nil
	}
	if e, ok := findEntry(v.snap.Top, name); ok {
		return &file{d.fs, e}, nil
	}
	return nil, pathError("lookup", name, fs.ErrNotExist)
}

// buildDir is one build: a directory for each architecture.
type buildDir struct {
	fs *FS
	id string
}

var _ Dir = (*buildDir)(nil)

func (d *buildDir) build(op string) (*Build, error) {
	b, ok := d.fs.current().builds[d.id]
	if !ok {
		return nil, pathError(op, d.id, fs.ErrNotExist)
	}
	return b, nil
}

func (d *buildDir) Attr(context.Context) (Attr, error) {
	b, err := d.build("stat")
	if err != nil {
		return Attr{}, err
	}
	return dirAttr(d.id, b.Time, long), nil
}

func (d *buildDir) Entries(context.Context) ([]Dirent, error) {
	b, err := d.build("readdir")
	if err != nil {
		return nil, err
	}
	list := dirents(b.Files)
	for _, a := range b.Arches {
		list = append(list, dirDirent(join(d.id, a.Name)))
	}
	slices.SortFunc(list, byName)
	return list, nil
}

func (d *buildDir) Lookup(_ context.Context, name string) (Node, error) {
	b, err := d.build("lookup")
	if err != nil {
		return nil, err
	}
	if e, ok := findEntry(b.Files, name); ok {
		return &file{d.fs, e}, nil
	}
	if slices.ContainsFunc(b.Arches, func(a Arch) bool { return a.Name == name }) {
		return &archDir{d.fs, d.id, name}, nil
	}
	return nil, pathError("lookup", join(d.id, name), fs.ErrNotExist)
}

// nextDir is the build that the configuration would give now.
type nextDir struct{ fs *FS }

var _ Dir = (*nextDir)(nil)

func (d *nextDir) Attr(context.Context) (Attr, error) {
	return dirAttr(nextName, d.fs.current().newest(), short), nil
}

func (d *nextDir) Entries(context.Context) ([]Dirent, error) {
	next := d.fs.current().snap.Next
	list := make([]Dirent, 0, len(next))
	for _, arch := range next {
		list = append(list, dirDirent(join(nextName, arch)))
	}
	slices.SortFunc(list, byName)
	return list, nil
}

func (d *nextDir) Lookup(_ context.Context, name string) (Node, error) {
	if !slices.Contains(d.fs.current().snap.Next, name) {
		return nil, pathError("lookup", join(nextName, name), fs.ErrNotExist)
	}
	return &archDir{d.fs, materialize.Next, name}, nil
}
