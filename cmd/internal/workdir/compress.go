package workdir

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"

	"cosafs/index"
	"cosafs/materialize"
	"cosafs/vfs/webui"
)

// Compress implements [webui.Compressor], for every architecture of a build that is
// here. One image after the other is replaced and recorded: what was cut off goes
// on with the next.
func (w *Workdir) Compress(ctx context.Context, req webui.CompressRequest, tell func(materialize.Event)) ([]webui.Compressed, error) {
	if w.cfg.Frozen != nil {
		return nil, w.cfg.Frozen
	}
	ctx, stop := materialize.Tell(ctx, tell)
	defer stop()
	builds, err := w.compressible(ctx, req)
	if err != nil {
		return nil, err
	}
	var all []webui.Compressed
	for _, b := range builds {
		for _, kind := range slices.Sorted(maps.Keys(b.Artifacts)) {
			if len(req.Kinds) > 0 && !slices.Contains(req.Kinds, kind) {
				continue
			}
			c, compressErr := w.compress(ctx, b, b.Artifacts[kind], req)
			if err = errors.Join(err, compressErr); compressErr == nil {
				all = append(all, c)
			}
		}
	}
	return all, err
}

// compressible gives the builds that were asked for, an element an architecture.
func (w *Workdir) compressible(ctx context.Context, req webui.CompressRequest) ([]materialize.Build, error) {
	refs, err := w.records.List(ctx)
	if err != nil {
		return nil, err
	}
	ids := req.Builds
	if len(ids) == 0 {
		ids = []string{"latest"}
	}
	var builds []materialize.Build
	for _, id := range ids {
		if id, err = w.resolveID(ctx, id); err != nil {
			return nil, err
		}
		i := slices.IndexFunc(refs, func(r materialize.BuildRef) bool { return r.ID == id })
		if i < 0 {
			return nil, noBuild(id)
		}
		for _, arch := range refs[i].Arches {
			b, err := w.records.Build(ctx, id, arch)
			if isAbsent(err) {
				continue // not all architectures of a build need be here
			}
			if err != nil {
				return nil, w.explainBuild(ctx, id, arch, err)
			}
			builds = append(builds, b)
		}
	}
	return builds, w.checkRecorded(builds, req.Kinds)
}

// checkRecorded refuses kinds that none of the builds has.
func (w *Workdir) checkRecorded(builds []materialize.Build, kinds []string) error {
	for _, kind := range kinds {
		if !slices.ContainsFunc(builds, func(b materialize.Build) bool { _, ok := b.Artifacts[kind]; return ok }) {
			return materialize.Fail(materialize.ClassConfig, "find "+kind, "make it first: cosafs extend "+kind,
				materialize.Says(fs.ErrNotExist, "no meta.json records it"))
		}
	}
	return nil
}

// compress does it with one artifact, unless there is a reason not to.
func (w *Workdir) compress(ctx context.Context, b materialize.Build, a materialize.Artifact, req webui.CompressRequest) (webui.Compressed, error) {
	c := webui.Compressed{Build: b.ID, Arch: b.Arch, Kind: a.Kind, File: a.File, Size: a.Size, Before: a.Size}
	if c.Skipped = whyNot(a, req.Uncompress); c.Skipped != "" {
		return c, nil
	}
	t := materialize.Target{Build: b.ID, Arch: b.Arch, Kind: a.Kind}
	do := func() (materialize.Result, error) {
		return w.maker.Compress(ctx, t, materialize.CompressOptions{Compressor: req.Compressor, Fast: req.Fast})
	}
	if req.Uncompress {
		do = func() (materialize.Result, error) { return w.maker.Decompress(ctx, t) }
	}
	r, err := do()
	if err != nil {
		return c, err
	}
	c.File, c.Size = filepath.Base(r.Path), r.Size
	return c, nil
}

// whyNot says why an artifact stays as it is; "" if it doesn't. The oldest
// documents have no skip-compression: cosa had a list then.
func whyNot(a materialize.Artifact, uncompress bool) string {
	switch packed := a.Packed(); {
	case a.SkipCompression || index.SkipCompression(index.Kind(a.Kind)):
		return "is not to be compressed"
	case packed && !uncompress:
		return "is compressed already"
	case a.Inside != nil && !uncompress:
		return "is compressed by nature"
	case !packed && uncompress:
		return "is not compressed"
	case !a.Local && a.Damage == "":
		return "is not here"
	}
	return ""
}
