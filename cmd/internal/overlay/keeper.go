package overlay

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"cosafs/cmd/internal/stream"
	"cosafs/materialize"
	"cosafs/vfs/webui"
)

// Find implements [webui.Keeper]: the build directory's builds and those that only
// the stores have.
func (t *Tree) Find(ctx context.Context, req webui.FindRequest, tell func(materialize.Event)) ([]webui.Found, error) {
	found, err := t.search.find(ctx, req, tell)
	if err != nil {
		return nil, err
	}
	low, err := t.stream.Find(ctx, req, tell)
	if err != nil {
		return nil, err
	}
	here := len(found)
	for _, f := range low {
		if !slices.ContainsFunc(found[:here], func(o webui.Found) bool { return o.Build == f.Build && o.Arch == f.Arch }) {
			found = append(found, f)
		}
	}
	slices.SortStableFunc(found, func(a, b webui.Found) int { return b.Time.Compare(a.Time) })
	switch {
	case req.Oldest && len(found) > 0:
		return found[len(found)-1:], nil
	case req.Limit > 0 && len(found) > req.Limit:
		return found[:req.Limit], nil
	}
	return found, nil
}

// Diff implements [webui.Keeper]. Each of the two builds may be in the build
// directory or in a store.
func (t *Tree) Diff(ctx context.Context, req webui.DiffRequest) (webui.Diff, error) {
	index, err := t.search.synced(ctx)
	if err != nil {
		return webui.Diff{}, err
	}
	a, err := t.side(ctx, index, req.A, req.Arch)
	if err != nil {
		return webui.Diff{}, err
	}
	b, err := t.side(ctx, index, req.B, req.Arch)
	if err != nil {
		return webui.Diff{}, err
	}
	return stream.Compare(ctx, a, b), nil
}

func (t *Tree) side(ctx context.Context, index *stream.Stream, id, arch string) (stream.Side, error) {
	side, err := index.Side(ctx, id, arch)
	if !errors.Is(err, fs.ErrNotExist) {
		return side, err
	}
	if low, lowErr := t.stream.Side(ctx, id, arch); lowErr == nil || !errors.Is(lowErr, fs.ErrNotExist) {
		return low, lowErr
	}
	return side, err
}

// Sync implements [webui.Keeper].
func (t *Tree) Sync(ctx context.Context, tell func(materialize.Event)) error {
	return t.stream.Sync(ctx, tell)
}

// Pin implements [webui.Keeper].
func (t *Tree) Pin(ctx context.Context, path string, pinned bool) error {
	return t.stream.Pin(ctx, path, pinned)
}
