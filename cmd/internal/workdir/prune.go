package workdir

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"cosafs/index"
	"cosafs/materialize"
)

// Prune implements [materialize.Records]. It removes exactly the entries whose
// directories it deletes: remote-only entries and keys that it doesn't know
// stay (cosa loses them). The list changes first, so that no reader
// is sent to a directory that is going.
func (r *records) Prune(ctx context.Context, req materialize.PruneRequest) ([]materialize.BuildRef, error) {
	all, err := r.List(ctx)
	if err != nil {
		return nil, err
	}
	doomed, err := choosePruned(all, req)
	if err != nil || req.Dry || len(doomed) == 0 {
		return doomed, err
	}
	if doomed, err = r.delist(ctx, doomed); err != nil {
		return nil, err
	}
	defer r.onChange()
	err = r.pointLatest(ctx)
	for _, b := range doomed {
		err = errors.Join(err, r.builds.RemoveBuild(ctx, b.ID))
	}
	return doomed, err
}

// delist takes builds off the list. One that was tagged since it was chosen
// stays; the others are returned.
func (r *records) delist(ctx context.Context, doomed []materialize.BuildRef) ([]materialize.BuildRef, error) {
	var gone []materialize.BuildRef
	err := r.update(ctx, func(list *index.Builds) error {
		for _, b := range doomed {
			tagged := slices.ContainsFunc(list.Tags(), func(t index.Tag) bool { return string(t.Target) == b.ID })
			if !tagged && list.Remove(index.BuildID(b.ID)) > 0 {
				gone = append(gone, b)
			}
		}
		if len(gone) > 0 {
			list.Bump(r.now())
		}
		return nil
	})
	return gone, err
}

// choosePruned decides which builds go; it is pure but for req.Busy. A build
// whose age nobody knows, because its meta.json is damaged, is not chosen.
func choosePruned(all []materialize.BuildRef, req materialize.PruneRequest) ([]materialize.BuildRef, error) {
	busy := func(id string) bool { return req.Busy != nil && req.Busy(id) }
	if len(req.Builds) > 0 {
		return chooseNamed(all, req.Builds, busy)
	}
	if req.Keep <= 0 {
		return nil, nil
	}
	candidates := slices.DeleteFunc(slices.Clone(all), func(b materialize.BuildRef) bool {
		return !b.Local || len(b.Tags) > 0 || b.Time.IsZero() || busy(b.ID)
	})
	slices.SortStableFunc(candidates, func(a, b materialize.BuildRef) int { return b.Time.Compare(a.Time) })
	return candidates[min(req.Keep, len(candidates)):], nil
}

// chooseNamed gives the builds that were asked for by name, or says why one of
// them can't go.
func chooseNamed(all []materialize.BuildRef, ids []string, busy func(string) bool) ([]materialize.BuildRef, error) {
	var doomed []materialize.BuildRef
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			continue
		}
		at := slices.IndexFunc(all, func(b materialize.BuildRef) bool { return b.ID == id })
		if at < 0 {
			return nil, noBuild(id)
		}
		if err := mayGo(all[at], busy); err != nil {
			return nil, err
		}
		doomed = append(doomed, all[at])
	}
	return doomed, nil
}

func mayGo(b materialize.BuildRef, busy func(string) bool) error {
	why, hint := "", ""
	switch {
	case !b.Local:
		return materialize.Fail(materialize.ClassConfig, "prune "+b.ID, "delete it where it is stored",
			materialize.Says(fs.ErrNotExist, "its directory is not here"))
	case len(b.Tags) > 0:
		why, hint = "it has the tag "+b.Tags[0], "take the tag away first: cosafs tag delete --tag "+b.Tags[0]
	case busy(b.ID):
		why, hint = "somebody reads it, or a job works on it", "close its files, or cancel the job: cosafs status"
	default:
		return nil
	}
	return materialize.Fail(materialize.ClassConfig, "prune "+b.ID, hint, materialize.Says(fs.ErrPermission, "%s", why))
}

// Tag implements [materialize.Records].
func (r *records) Tag(ctx context.Context, name, id string) error {
	defer r.onChange()
	return r.update(ctx, func(list *index.Builds) error {
		if !list.Has(index.BuildID(id)) {
			return noBuild(id)
		}
		return list.SetTag(name, index.BuildID(id), r.now())
	})
}

// Untag implements [materialize.Records].
func (r *records) Untag(ctx context.Context, name string) error {
	defer r.onChange()
	return r.update(ctx, func(list *index.Builds) error {
		if !list.DeleteTag(name) {
			return materialize.Fail(materialize.ClassConfig, "delete tag "+name, "cosafs tag list shows the tags",
				materialize.Says(fs.ErrNotExist, "there is none of this name"))
		}
		return nil
	})
}
