package overlay

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"

	"cosafs/materialize"
	"cosafs/vfs/webui"
)

// Status implements [webui.Service].
func (t *Tree) Status(ctx context.Context) (webui.Status, error) {
	st, err := t.work.Status(ctx)
	if err != nil {
		return st, err
	}
	low, err := t.stream.Status(ctx)
	st.Stores, st.Cache, st.Jobs = low.Stores, low.Cache, slices.Concat(st.Jobs, low.Jobs)
	return st, err
}

// Builds implements [webui.Service].
func (t *Tree) Builds(ctx context.Context) ([]webui.BuildInfo, error) {
	top, err := t.work.Builds(ctx)
	if err != nil {
		return nil, err
	}
	low, err := t.stream.Builds(ctx)
	all := slices.Clone(top)
	for _, b := range low {
		i := slices.IndexFunc(all, func(o webui.BuildInfo) bool { return o.ID == b.ID })
		switch {
		case i < 0:
			all = append(all, b)
		case !all[i].Local: // the list names it, but only the stores have it
			all[i] = b
		default:
			all[i].Arches = union(all[i].Arches, b.Arches)
		}
	}
	slices.SortStableFunc(all, func(a, b webui.BuildInfo) int { return b.Time.Compare(a.Time) })
	return all, err
}

func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// Show implements [webui.Service]: what the build directory knows of a build, and
// of its artifacts where the stores have what is not here.
func (t *Tree) Show(ctx context.Context, id, arch string) (webui.BuildInfo, error) {
	top, err := t.work.Show(ctx, id, arch)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return top, err
	}
	if err != nil || top.Problem != "" && !top.Local {
		if low, lowErr := t.stream.Show(ctx, id, arch); lowErr == nil {
			return low, nil
		}
		return top, err
	}
	if low, err := t.stream.Show(ctx, top.ID, top.Arch); err == nil && t.lib.oneBuild(top.ID, top.Arch) {
		addStored(&top, low)
	}
	return top, nil
}

// addStored adds the artifacts that a store has and the build directory lacks.
func addStored(top *webui.BuildInfo, low webui.BuildInfo) {
	for _, a := range low.Artifacts {
		i := slices.IndexFunc(top.Artifacts, func(o materialize.Artifact) bool { return o.Kind == a.Kind })
		switch {
		case i < 0:
			top.Artifacts = append(top.Artifacts, a)
		case !top.Artifacts[i].Local && top.Artifacts[i].SHA256 == a.SHA256:
			top.Artifacts[i] = a
		}
		top.Buildable = slices.DeleteFunc(top.Buildable, func(kind string) bool { return kind == a.Kind && a.State != materialize.StateGone })
	}
}

// Plan implements [webui.Service].
func (t *Tree) Plan(ctx context.Context, path string) (materialize.Plan, error) {
	top, err := t.work.Plan(ctx, path)
	if err == nil && settled(top) {
		return top, nil
	}
	low, lowErr := t.stream.Plan(ctx, path)
	if t.fromStore(ctx, low, lowErr) {
		return low, nil
	}
	if why := t.stream.Unasked(); err == nil && why != nil && top.State == materialize.StateBuildable {
		top.State, top.Reason = materialize.StateUnknown, "a store may have it: "+materialize.OneLine(why.Error())
	}
	return top, err
}

// settled says whether a plan of the build directory's needs no look at stores.
func settled(p materialize.Plan) bool {
	return p.Target.Build == materialize.Next || p.State == materialize.StateLocal || p.State == materialize.StateCached ||
		p.State == materialize.StateBuilding
}

// fromStore says whether a plan of the stores' is the one that an open follows.
func (t *Tree) fromStore(ctx context.Context, low materialize.Plan, err error) bool {
	if err != nil {
		return false
	}
	e, err := t.lib.resolveKind(ctx, low.Target)
	return err == nil && t.lib.stored(e)
}

// Materialise implements [webui.Service].
func (t *Tree) Materialise(ctx context.Context, path string, tell func(materialize.Event)) (materialize.Result, error) {
	p, err := t.Plan(ctx, path)
	if err != nil {
		return materialize.Result{}, err
	}
	switch {
	case p.State == materialize.StateUnknown && t.stream.Unasked() != nil:
		return materialize.Result{}, t.stream.Unasked()
	case t.fromStore(ctx, p, nil):
		return t.stream.Materialise(ctx, path, tell)
	}
	return t.work.Materialise(ctx, path, tell)
}

// Build implements [webui.Service]; stores are not built into.
func (t *Tree) Build(ctx context.Context, req webui.BuildRequest, tell func(materialize.Event)) (webui.BuildResult, error) {
	return t.work.Build(ctx, req, tell)
}

// Prune implements [webui.Service], for the build directory.
func (t *Tree) Prune(ctx context.Context, req webui.PruneRequest) ([]materialize.BuildRef, error) {
	return t.work.Prune(ctx, req)
}

// Compress implements [webui.Compressor], for the build directory.
func (t *Tree) Compress(ctx context.Context, req webui.CompressRequest, tell func(materialize.Event)) ([]webui.Compressed, error) {
	return t.work.Compress(ctx, req, tell)
}

// Remake implements [webui.Remaker], for the build directory.
func (t *Tree) Remake(ctx context.Context, path string, tell func(materialize.Event)) (materialize.Result, error) {
	return t.work.Remake(ctx, path, tell)
}

// Tag implements [webui.Service], for the build directory.
func (t *Tree) Tag(ctx context.Context, name, id string) error { return t.work.Tag(ctx, name, id) }

// Untag implements [webui.Service], for the build directory.
func (t *Tree) Untag(ctx context.Context, name string) error { return t.work.Untag(ctx, name) }

// Jobs implements [webui.Service].
func (t *Tree) Jobs(ctx context.Context) ([]materialize.JobInfo, error) {
	top, err := t.work.Jobs(ctx)
	if err != nil {
		return nil, err
	}
	low, err := t.stream.Jobs(ctx)
	return slices.Concat(top, low), err
}

// Log implements [webui.Service].
func (t *Tree) Log(ctx context.Context, job string, follow bool, w io.Writer) error {
	return either(t.work.Log(ctx, job, follow, w), func() error { return t.stream.Log(ctx, job, follow, w) })
}

// Cancel implements [webui.Service].
func (t *Tree) Cancel(ctx context.Context, job string) error {
	return either(t.work.Cancel(ctx, job), func() error { return t.stream.Cancel(ctx, job) })
}

// Retry implements [webui.Service].
func (t *Tree) Retry(ctx context.Context, jobOrPath string) error {
	return either(t.work.Retry(ctx, jobOrPath), func() error { return t.stream.Retry(ctx, jobOrPath) })
}

// either asks the stores where the build directory knows of no such thing. What
// neither knows is told in the build directory's words.
func either(err error, low func() error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if lowErr := low(); !errors.Is(lowErr, fs.ErrNotExist) {
		return lowErr
	}
	return err
}
