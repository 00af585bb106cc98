package workdir

import (
	"context"

	"cosafs/index"
)

// List gives builds.json. Callers must not change it.
func (w *Workdir) List(ctx context.Context) (*index.Builds, error) { return w.records.list(ctx) }

// Commit gives the OSTree commit of a build, "" where its meta.json names none. A
// build that isn't here is fs.ErrNotExist.
func (w *Workdir) Commit(ctx context.Context, build, arch string) (string, error) {
	meta, err := w.records.meta(ctx, w.records.path(w.records.dirOf(ctx, build, arch)))
	if err != nil {
		return "", err
	}
	return meta.Commit(), nil
}
