package stream

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"

	"cosafs/index"
	"cosafs/index/catalog"
	"cosafs/vfs"
)

// keptFiles is the file list of an architecture whose record was replaced since.
type keptFiles = atomic.Pointer[[]vfs.Entry]

// version changes with the files of the architecture.
func (a *arch) version() uint64 {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%s %d %v", a.src.name, a.stamp, a.cleanup) // a hash takes everything
	return h.Sum64()
}

// filesOf gives the listed files of an architecture, whenever they are asked for:
// from the catalog or, once the catalog knows others, as they were.
func (s *Stream) filesOf(a *arch) func() ([]vfs.Entry, error) {
	return func() ([]vfs.Entry, error) {
		if kept := a.kept.Load(); kept != nil {
			return *kept, nil
		}
		rec, err := s.record(a)
		if kept := a.kept.Load(); kept != nil { // it was replaced between the two looks
			return *kept, nil
		}
		if err == nil && rec.Stamp != a.stamp {
			err = fmt.Errorf("%s/%s: the catalog knows something newer: %w", a.id, a.name, vfs.ErrStale)
		}
		if err != nil {
			return nil, err
		}
		return s.listed(rec), nil
	}
}

// keep pins the file list of an architecture whose record is about to change, so
// that whoever compares an older snapshot with a newer one can.
func (s *Stream) keep(src *source, id, name string) {
	a := s.current().builds[id].arch(s.archName(name))
	if a == nil || a.src != src || a.kept.Load() != nil {
		return
	}
	files, err := s.filesOf(a)()
	if err != nil {
		s.cfg.Logger.Warn("keep the files of a build that changes", "build", id, "arch", name, "err", err)
		return
	}
	a.kept.CompareAndSwap(nil, &files)
}

// A record is what the catalog knows of an architecture that the tree shows.
type record struct {
	catalog.Arch
	src     *source
	arch    string // its name in the tree
	cleanup *index.Cleanup
}

// record reads what the catalog knows of an architecture now, which may be newer
// than the tree. fs.ErrNotExist if it is gone by now.
func (s *Stream) record(a *arch) (record, error) {
	rec, err := s.catalog.Arch(a.src.name, a.id, a.record)
	if errors.Is(err, catalog.ErrDamaged) {
		s.outdated(a.src, a.id) // it starts anew
	}
	return record{Arch: rec, src: a.src, arch: a.name, cleanup: a.cleanup}, err
}

// find gives what is known of one build for one architecture.
func (s *Stream) find(id, name string) (record, error) {
	a := s.current().builds[id].arch(name)
	if a == nil {
		return record{}, fmt.Errorf("%s/%s: %w", id, name, fs.ErrNotExist)
	}
	return s.record(a)
}

// listed gives the files that a directory lists, in name order: those that the
// store lists or, where it can't, those of which the size is recorded.
func (s *Stream) listed(rec record) []vfs.Entry {
	var entries []vfs.Entry
	for _, it := range s.items(rec) {
		if it.listed {
			entries = append(entries, it.Entry)
		}
	}
	slices.SortFunc(entries, func(a, b vfs.Entry) int { return strings.Compare(a.Name, b.Name) })
	return entries
}
