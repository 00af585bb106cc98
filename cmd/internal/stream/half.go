package stream

import (
	"context"
	"errors"

	"cosafs/index"
)

// errUnasked is about a store before its first answer.
var errUnasked = errors.New("it was not asked yet")

// Unasked says why what the tree lacks may be in a store all the same: that store
// never answered. nil if every store did once.
func (s *Stream) Unasked() error {
	f := s.current()
	for _, src := range s.sources {
		if !f.synced[src.name].IsZero() {
			continue
		}
		if err := src.silent(); err != nil {
			return storeFailure("look for it", src, err)
		}
		return storeFailure("look for it", src, errUnasked)
	}
	return nil
}

// Names gives the names of the stores, in order of precedence.
func (s *Stream) Names() []string {
	names := make([]string, len(s.sources))
	for i, src := range s.sources {
		names[i] = src.name
	}
	return names
}

// List gives the builds.json that the tree shows. Callers must not change it.
func (s *Stream) List(context.Context) (*index.Builds, error) {
	f := s.current()
	if len(f.top) == 0 {
		return index.NewBuilds(), nil // no store ever answered
	}
	return index.ParseBuilds(f.top)
}

// Commit gives the OSTree commit of a build, "" where its meta.json names none. A
// build that no store has is fs.ErrNotExist.
func (s *Stream) Commit(_ context.Context, build, arch string) (string, error) {
	rec, err := s.find(build, arch)
	return rec.Commit, err
}
