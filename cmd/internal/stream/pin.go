package stream

import (
	"context"
	"strings"
)

// Pin implements [webui.Keeper]: it keeps in the cache for good what there is or
// will be of a file, of everything that a directory lists (BUILD/ARCH), or of a
// whole build (BUILD); or no longer. It moves no bytes.
func (s *Stream) Pin(ctx context.Context, path string, pinned bool) error {
	items, err := s.under(path)
	if err != nil {
		return err
	}
	for _, it := range items {
		if err := s.pin(ctx, it, pinned); err != nil {
			return err
		}
	}
	return nil
}

// pin pins one item. What the store never described can't be in the cache.
func (s *Stream) pin(ctx context.Context, it item, pinned bool) error {
	var err error
	switch {
	case it.gone != nil:
		return it.gone
	case it.file.version == "" && !pinned:
		return nil
	case it.file.version == "":
		it, err = s.reach(ctx, it)
	}
	if err != nil {
		return err
	}
	return s.cache.Pin(it.object(), pinned)
}

// under gives what a path names: one item, or all that are listed below it.
func (s *Stream) under(path string) ([]item, error) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	id, err := s.resolveID(parts[0])
	if err != nil {
		return nil, err
	}
	b := s.current().builds[id]
	isArch := len(parts) == 2 && b.arch(parts[1]) != nil
	if b == nil || len(parts) > 1 && !isArch {
		it, err := s.parse(path)
		return []item{it}, err
	}
	var items []item
	for _, a := range b.arches {
		if isArch && a.name != parts[1] {
			continue
		}
		rec, err := s.record(a)
		if err != nil {
			return nil, err
		}
		for _, it := range s.items(rec) {
			if it.listed && it.gone == nil {
				items = append(items, it)
			}
		}
	}
	return items, nil
}
