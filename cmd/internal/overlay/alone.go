package overlay

import (
	"context"
	"errors"

	"cosafs/cmd/internal/daemon"
	"cosafs/cmd/internal/workdir"
	"cosafs/materialize"
	"cosafs/vfs/webui"
)

// An Alone is a build directory without stores.
type Alone struct {
	*workdir.Workdir
	search *search
}

var _ daemon.Backend = (*Alone)(nil)

// NewAlone gives a build directory with the index that open opens when it is
// needed. Close closes both.
func NewAlone(w *workdir.Workdir, open Opener) *Alone {
	return &Alone{Workdir: w, search: &search{open: open}}
}

// Find implements [webui.Keeper].
func (a *Alone) Find(ctx context.Context, req webui.FindRequest, tell func(materialize.Event)) ([]webui.Found, error) {
	return a.search.find(ctx, req, tell)
}

// Diff implements [webui.Keeper].
func (a *Alone) Diff(ctx context.Context, req webui.DiffRequest) (webui.Diff, error) {
	s, err := a.search.synced(ctx)
	if err != nil {
		return webui.Diff{}, err
	}
	return s.Diff(ctx, req)
}

// errNoStores answers what only stores are asked.
func errNoStores(op string) error {
	return materialize.Fail(materialize.ClassConfig, op, "name one with --store URL", errors.New("there is no store"))
}

// Sync implements [webui.Keeper]: there is nobody to ask.
func (a *Alone) Sync(context.Context, func(materialize.Event)) error { return errNoStores("sync") }

// Pin implements [webui.Keeper]: nothing is cached.
func (a *Alone) Pin(_ context.Context, path string, _ bool) error { return errNoStores("pin " + path) }

// Asked is closed from the beginning: there is no store.
func (a *Alone) Asked() <-chan struct{} {
	asked := make(chan struct{})
	close(asked)
	return asked
}

// Close closes the index and the build directory.
func (a *Alone) Close(ctx context.Context) error {
	return errors.Join(a.search.close(ctx), a.Workdir.Close(ctx))
}
