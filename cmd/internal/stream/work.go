package stream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"cosafs/materialize"
	"cosafs/materialize/blobcache"
)

// workKey is the key of the job that brings all of the item into the cache.
func (it *item) workKey() string {
	sum := sha256.Sum256([]byte("cache\n" + it.object().ID))
	return hex.EncodeToString(sum[:])
}

func (it *item) target() materialize.Target {
	t := materialize.Target{Build: it.Build, Arch: it.Arch, Kind: it.Kind}
	if t.Kind == "" {
		t.Kind = it.Name
	}
	return t
}

// cacheWork brings all of an item into the cache by make.
func (s *Stream) cacheWork(it item, title string, produce func(ctx context.Context, task *materialize.Task) (*blobcache.Blob, error)) materialize.Work {
	plan := s.plan(it)
	return materialize.Work{
		Key: it.workKey(), Target: it.target(), Title: title, Plan: &plan, Moves: true, Space: max(it.Size, 0),
		Done: func(context.Context) (materialize.Result, bool, error) {
			done := s.cache.State(it.object().ID).Complete
			return materialize.Result{Build: it.Build, Size: it.Size}, done, nil
		},
		Run: func(ctx context.Context, task *materialize.Task) (materialize.Result, error) {
			b, err := produce(ctx, task)
			if err != nil {
				return materialize.Result{}, err
			}
			task.Phase("done", 1)
			return materialize.Result{Build: it.Build, Size: b.Size()}, b.Close()
		},
	}
}

// fetchWork brings all of an object into the cache.
func (s *Stream) fetchWork(it item) materialize.Work {
	return s.cacheWork(it, "fetch", func(ctx context.Context, task *materialize.Task) (*blobcache.Blob, error) {
		task.Phase("fetch from "+it.file.src.name, 0)
		err := s.cache.Prefetch(ctx, it.object(), it.file.origin(), func(done, total int64) {
			if task.Progress != nil {
				task.Progress("fetch from "+it.file.src.name, fraction(done, total))
			}
		})
		if err != nil {
			return nil, s.explain(it, err)
		}
		return s.cache.Get(ctx, it.object(), it.file.origin())
	})
}

// Materialise implements [webui.Service]: all of the path's bytes come into the
// cache.
func (s *Stream) Materialise(ctx context.Context, path string, tell func(materialize.Event)) (materialize.Result, error) {
	it, err := s.parse(path)
	if err != nil {
		return materialize.Result{}, err
	}
	if it, err = s.reach(ctx, it); err != nil {
		return materialize.Result{}, err
	}
	ctx, stop := materialize.Tell(ctx, tell)
	defer stop()
	work := s.fetchWork(it)
	if it.packed != "" {
		work = s.unpackWork(it)
	}
	res, err := s.runner.Do(ctx, work, s.cfg.Linger)
	if err != nil {
		return res, err
	}
	b, err := s.open(ctx, it)
	if err != nil {
		return res, err
	}
	res.Size = b.Size()
	if f, ok := b.LocalFile(); ok {
		res.Path = f.Name()
	}
	return res, b.Close()
}
