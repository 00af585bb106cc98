package stream

import (
	"context"
	"fmt"
	"slices"
	"time"

	"cosafs/index"
	"cosafs/index/catalog"
	"cosafs/materialize"
	"cosafs/vfs/webui"
)

// Find implements [webui.Keeper]. A build that several stores have is found once,
// in the store that the tree shows it from.
func (s *Stream) Find(ctx context.Context, req webui.FindRequest, tell func(materialize.Event)) ([]webui.Found, error) {
	if req.Package != "" && !s.cfg.Offline {
		if err := s.fetchPackages(ctx, req, oneAtATime(tell)); err != nil {
			return nil, err
		}
	}
	f := s.current()
	place := f.places()
	var found []webui.Found
	for _, src := range s.sources {
		list, err := s.findIn(ctx, src, f, req)
		if err != nil {
			return nil, fmt.Errorf("look in the catalog of %s: %w", src.name, err)
		}
		found = append(found, list...)
	}
	slices.SortStableFunc(found, func(a, b webui.Found) int { return place[a.Build] - place[b.Build] })
	if req.Oldest && len(found) > 0 {
		found = found[len(found)-1:]
	}
	if req.Limit > 0 && len(found) > req.Limit {
		found = found[:req.Limit]
	}
	return found, nil
}

// places gives where each build stands in the tree's list.
func (f *facts) places() map[string]int {
	place := make(map[string]int, len(f.snap.Builds))
	for i := range f.snap.Builds {
		place[f.snap.Builds[i].ID] = i
	}
	return place
}

// query is what a request asks of the catalog. State is not for it to know, and
// neither is which store's build the tree shows, so that it can't limit.
func query(req webui.FindRequest) catalog.Query {
	return catalog.Query{
		ID: req.ID, Arch: req.Arch, Commit: req.Commit, SHA256: req.SHA256, Kind: req.Kind, Package: req.Package,
		Tag: req.Tag, After: req.After, Before: req.Before,
	}
}

// findIn gives what matches in one store, newest first.
func (s *Stream) findIn(ctx context.Context, src *source, f *facts, req webui.FindRequest) ([]webui.Found, error) {
	var found []webui.Found
	for m, err := range s.catalog.Find(ctx, src.name, query(req)) {
		if err != nil {
			return nil, err
		}
		a := f.builds[m.ID].arch(s.archName(m.Name))
		if a == nil || a.src != src {
			continue
		}
		if one, ok := s.found(a, m, req); ok {
			found = append(found, one)
		}
		if !req.Oldest && req.Limit > 0 && len(found) == req.Limit {
			break
		}
	}
	return found, nil
}

// found describes a match, if its artifacts are in the state that is wanted.
func (s *Stream) found(a *arch, m catalog.Match, req webui.FindRequest) (webui.Found, bool) {
	rec := record{Arch: m.Arch, src: a.src, arch: a.name, cleanup: a.cleanup}
	one := foundOf(rec)
	one.Tags, one.Packages = m.Tags, packagesOf(m.Packages)
	if req.Kind == "" && req.SHA256 == "" && req.State == "" {
		return one, true
	}
	one.Artifacts = s.artifacts(rec, func(it item) bool {
		matched := req.Kind == "" && req.SHA256 == "" || slices.ContainsFunc(m.Matched, func(im index.Image) bool { return string(im.Kind) == it.Kind })
		return matched && (req.State == "" || it.State == req.State)
	})
	return one, req.State == "" || len(one.Artifacts) > 0
}

func foundOf(rec record) webui.Found {
	return webui.Found{Build: rec.ID, Arch: rec.arch, Version: rec.Version, Commit: rec.Commit, Time: rec.Time, Source: rec.src.name}
}

func packagesOf(list []index.Package) []materialize.Package {
	var packages []materialize.Package
	for _, p := range list {
		packages = append(packages, materialize.Package{Name: p.Name, Epoch: p.Epoch, Version: p.Version, Release: p.Release, Arch: p.Arch})
	}
	return packages
}

// fetchPackages brings the package lists that the request is about.
func (s *Stream) fetchPackages(ctx context.Context, req webui.FindRequest, tell func(materialize.Event)) error {
	for _, src := range s.sources {
		op := "fetch package lists of " + src.name
		err := s.catalog.SyncPackages(ctx, src.name, src, query(req), func(done, total int) {
			tell(materialize.Event{Time: time.Now(), Phase: op, Fraction: fraction(int64(done), int64(total))})
		})
		if isAbsent(err) {
			continue // a store that was never asked has no builds to ask for
		}
		if err := storeFailure(op, src, err); err != nil {
			return err
		}
	}
	return nil
}
