package stream

import (
	"context"
	"fmt"
	"io/fs"
	"slices"

	"cosafs/materialize"
	"cosafs/vfs"
)

// library is the tree of stores as doors see it.
type library struct{ *Stream }

var _ vfs.Library = library{}

// Library gives the tree's facts and bytes for doors.
func (s *Stream) Library() vfs.Library { return library{s} }

// Snapshot implements [vfs.Library].
func (l library) Snapshot() *vfs.Snapshot { return l.current().snap }

// Changed implements [vfs.Library].
func (l library) Changed() <-chan struct{} { return l.changed() }

// Resolve implements [vfs.Library].
func (l library) Resolve(_ context.Context, build, arch, name string) (vfs.Entry, error) {
	it, err := l.resolve(build, arch, name)
	return it.Entry, err
}

// resolve finds a file by its name or a short one.
func (s *Stream) resolve(build, arch, name string) (item, error) {
	rec, err := s.find(build, arch)
	if err != nil {
		return item{}, err
	}
	items := s.items(rec)
	i := slices.IndexFunc(items, func(it item) bool { return it.Name == name })
	if i < 0 {
		i = slices.IndexFunc(items, func(it item) bool { return slices.Contains(it.short, name) })
	}
	if i < 0 {
		return item{}, fmt.Errorf("%s/%s/%s: %w", build, arch, name, fs.ErrNotExist)
	}
	return items[i], nil
}

// Lookup finds a recorded artifact by its kind, as the entry of its file.
// fs.ErrNotExist where none is recorded.
func (s *Stream) Lookup(_ context.Context, build, arch, kind string) (vfs.Entry, error) {
	rec, err := s.find(build, arch)
	if err != nil {
		return vfs.Entry{}, err
	}
	items := s.items(rec)
	i := slices.IndexFunc(items, func(it item) bool { return it.Kind == kind && it.packed == "" })
	if i < 0 {
		return vfs.Entry{}, fmt.Errorf("%s/%s: %s is not recorded: %w", build, arch, kind, fs.ErrNotExist)
	}
	return items[i].Entry, nil
}

// Refresh implements [vfs.Library].
func (l library) Refresh(_ context.Context, e vfs.Entry) (vfs.Entry, error) {
	it, err := l.now(e)
	if err != nil {
		return e, err
	}
	return it.Entry, nil
}

// now gives the item that an entry stands for, as it is now.
func (s *Stream) now(e vfs.Entry) (item, error) {
	switch {
	case e.Build == "":
		return s.current().topItem(e.Name)
	case e.Arch == "":
		return s.besideItem(e.Build, e.Name)
	}
	it, err := s.resolve(e.Build, e.Arch, e.Name)
	if err == nil && e.Kind != "" && it.SHA256 != e.SHA256 {
		err = fmt.Errorf("%s: meta.json records another file by now: %w", pathOf(e), vfs.ErrStale)
	}
	return it, err
}

func (f *facts) topItem(name string) (item, error) {
	for _, e := range f.snap.Top {
		if e.Name == name {
			return item{Entry: e}, nil
		}
	}
	return item{}, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}

// besideItem finds a file beside the architectures of a build.
func (s *Stream) besideItem(id, name string) (item, error) {
	if b := s.current().builds[id]; b != nil {
		for _, o := range b.beside {
			if o.file.Name == name {
				return s.besideOf(id, o), nil
			}
		}
	}
	return item{}, fmt.Errorf("%s/%s: %w", id, name, fs.ErrNotExist)
}

// Buildable implements [vfs.Library]: what compressed artifacts hold, and what a
// store has that can't list it.
func (l library) Buildable(_ context.Context, build, arch string) []vfs.Entry {
	rec, err := l.find(build, arch)
	if err != nil {
		return nil
	}
	var entries []vfs.Entry
	for _, it := range l.items(rec) {
		if !it.listed && it.gone == nil {
			entries = append(entries, it.Entry)
		}
	}
	return entries
}

// Progress implements [vfs.Library].
func (l library) Progress(e vfs.Entry) (float64, bool) {
	it, err := l.now(e)
	if err != nil || it.file.src == nil {
		return 0, false
	}
	job, ok := l.runner.Building(it.workKey())
	return job.Fraction, ok
}

// Open implements [vfs.Library].
func (l library) Open(ctx context.Context, e vfs.Entry) (vfs.Blob, error) {
	if e.Build == "" {
		return l.current().openTop(e)
	}
	it, err := l.now(e)
	if err != nil {
		return nil, err
	}
	if e.Kind == "" && e.Size >= 0 && (it.Size != e.Size || !it.ModTime.Equal(e.ModTime)) {
		return nil, fmt.Errorf("%s: it was replaced: %w", pathOf(e), vfs.ErrStale)
	}
	return l.open(ctx, it)
}

// Jobs implements [vfs.Library].
func (l library) Jobs() []materialize.JobInfo { return l.runner.Jobs() }

// JobFile implements [vfs.Library].
func (l library) JobFile(id, name string) ([]byte, error) { return l.runner.JobFile(id, name) }
