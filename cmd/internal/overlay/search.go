package overlay

import (
	"context"
	"sync"

	"cosafs/cmd/internal/stream"
	"cosafs/materialize"
	"cosafs/vfs/webui"
)

// An Opener opens the build directory as if it were a store, to search it.
type Opener func(context.Context) (*stream.Stream, error)

// A search is the index of the build directory. It is opened by the first
// question that needs it.
type search struct {
	open Opener

	mu    sync.Mutex // guards index; held while it is opened, which asks nobody
	index *stream.Stream
}

// synced gives the index as the build directory is now.
func (s *search) synced(ctx context.Context) (*stream.Stream, error) {
	index, err := s.opened(ctx)
	if err != nil {
		return nil, err
	}
	return index, index.Sync(ctx, nil)
}

func (s *search) opened(ctx context.Context) (*stream.Stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.index != nil {
		return s.index, nil
	}
	index, err := s.open(ctx)
	if err == nil {
		s.index = index
	}
	return index, err
}

func (s *search) close(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.index == nil {
		return nil
	}
	return s.index.Close(ctx)
}

// find searches the build directory. What the index takes for a file of a store
// is a local one.
func (s *search) find(ctx context.Context, req webui.FindRequest, tell func(materialize.Event)) ([]webui.Found, error) {
	switch req.State {
	case materialize.StateLocal:
		req.State = materialize.StateRemote
	case materialize.StateRemote, materialize.StateCached:
		return nil, nil
	}
	index, err := s.synced(ctx)
	if err != nil {
		return nil, err
	}
	found, err := index.Find(ctx, req, tell)
	for i := range found {
		localise(found[i].Artifacts)
	}
	return found, err
}

func localise(list []materialize.Artifact) {
	for i := range list {
		a := &list[i]
		if a.State == materialize.StateRemote || a.State == materialize.StateCached {
			a.State, a.Local = materialize.StateLocal, true
		}
	}
}
