package workdir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"cosafs/index"
	"cosafs/materialize"
)

// Prune implements [materialize.Records]. It removes exactly the entries whose
// directories it deletes: remote-only entries and keys that it doesn't know
// stay (cosa loses them, cosa.md 5). The list changes first, so that no reader
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
	err = r.update(ctx, func(list *index.Builds) error {
		for _, b := range doomed {
			list.Remove(index.BuildID(b.ID))
		}
		list.Bump(r.now())
		return nil
	})
	if err != nil {
		return nil, err
	}
	defer r.onChange()
	if err := r.pointLatest(ctx); err != nil {
		return nil, err
	}
	for _, b := range doomed {
		err = errors.Join(err, r.builds.RemoveBuild(ctx, b.ID))
	}
	return doomed, err
}

// choosePruned decides which builds go; it is pure.
func choosePruned(all []materialize.BuildRef, req materialize.PruneRequest) ([]materialize.BuildRef, error) {
	if len(req.Builds) > 0 {
		return chooseNamed(all, req.Builds)
	}
	if req.Keep <= 0 {
		return nil, nil
	}
	candidates := slices.DeleteFunc(slices.Clone(all), func(b materialize.BuildRef) bool { return !b.Local || len(b.Tags) > 0 })
	slices.SortStableFunc(candidates, func(a, b materialize.BuildRef) int { return b.Time.Compare(a.Time) })
	if len(candidates) <= req.Keep {
		return nil, nil
	}
	return slices.DeleteFunc(candidates[req.Keep:], func(b materialize.BuildRef) bool { return req.Busy != nil && req.Busy(b.ID) }), nil
}

func chooseNamed(all []materialize.BuildRef, ids []string) ([]materialize.BuildRef, error) {
	var doomed []materialize.BuildRef
	for _, id := range ids {
		i := slices.IndexFunc(all, func(b materialize.BuildRef) bool { return b.ID == id })
		switch {
		case i < 0:
			return nil, fmt.Errorf("build %s: %w", id, fs.ErrNotExist)
		case len(all[i].Tags) > 0:
			return nil, materialize.Fail(materialize.ClassConfig, "prune "+id, "take the tag away first: cosafs tag --delete "+all[i].Tags[0],
				fmt.Errorf("it has the tag %s: %w", all[i].Tags[0], fs.ErrPermission))
		}
		doomed = append(doomed, all[i])
	}
	return doomed, nil
}

// Tag implements [materialize.Records].
func (r *records) Tag(ctx context.Context, name, id string) error {
	defer r.onChange()
	return r.update(ctx, func(list *index.Builds) error {
		if !list.Has(index.BuildID(id)) {
			return fmt.Errorf("build %s: %w", id, fs.ErrNotExist)
		}
		return list.SetTag(name, index.BuildID(id), r.now())
	})
}

// Untag implements [materialize.Records].
func (r *records) Untag(ctx context.Context, name string) error {
	defer r.onChange()
	return r.update(ctx, func(list *index.Builds) error {
		if !list.DeleteTag(name) {
			return fmt.Errorf("tag %s: %w", name, fs.ErrNotExist)
		}
		return nil
	})
}
