package stream

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"cosafs/index/catalog"
	"cosafs/materialize"
	"cosafs/vfs"
)

// Watch asks the stores now and then every [Config].Refresh, and at once where a
// read met a file that was replaced, until ctx ends. What fails is kept for the
// status.
func (s *Stream) Watch(ctx context.Context) {
	if s.cfg.Offline {
		return
	}
	tick := time.NewTicker(s.cfg.Refresh)
	defer tick.Stop()
	for {
		if err := s.Sync(ctx, nil); err != nil && ctx.Err() == nil {
			s.cfg.Logger.Warn("ask stores", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.again:
		}
	}
}

// usualRecheck is how many of the newest builds each sync looks at again: those
// that pipelines still add artifacts to.
const usualRecheck = 20

// outdated has [Stream.Watch] ask the stores soon, and look at the build again
// however old it is.
func (s *Stream) outdated(src *source, build string) {
	builds := s.current().snap.Builds
	src.look(1 + slices.IndexFunc(builds, func(b vfs.Build) bool { return b.ID == build }))
	select {
	case s.again <- struct{}{}:
	default: // it will
	}
}

// Sync asks every store once what is new. A store that can't be asked is an
// error that names it, and leaves what is known of it; the others are asked all
// the same. tell may be nil and is called from one goroutine at a time.
func (s *Stream) Sync(ctx context.Context, tell func(materialize.Event)) error {
	if s.cfg.Offline {
		return materialize.Fail(materialize.ClassConfig, "ask stores", "run it without --offline", errOffline)
	}
	select {
	case s.syncing <- struct{}{}:
		defer func() { <-s.syncing }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	tell = oneAtATime(tell)
	errs := make([]error, len(s.sources))
	var wg sync.WaitGroup
	for i, src := range s.sources {
		wg.Go(func() { errs[i] = s.syncSource(ctx, src, tell) })
	}
	wg.Wait()
	s.firstAsked.Do(func() { close(s.asked) })
	return errors.Join(errs...)
}

// Asked is closed when every store was asked once, whatever it answered. Where
// none will be, it is closed from the beginning.
func (s *Stream) Asked() <-chan struct{} { return s.asked }

// syncSource asks one store, and shows what came of it without waiting for the
// other stores.
func (s *Stream) syncSource(ctx context.Context, src *source, tell func(materialize.Event)) error {
	op := "ask " + src.name
	looks := src.looks()
	report, err := s.catalog.Sync(ctx, src.name, src, catalog.Options{
		Parallel: src.store.Properties().Parallel, Recheck: max(looks, usualRecheck, src.least),
		Before: func(id, arch string) { s.keep(src, id, arch) },
		Progress: func(done, total int) {
			tell(materialize.Event{Time: time.Now(), Phase: op, Fraction: fraction(int64(done), int64(total))})
		},
	})
	src.listed.Clear()
	if err != nil {
		src.look(looks) // the next one has to
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx) // says nothing about the store
	}
	src.asked(report, err)
	if err != nil {
		class, hint := remedy(src, err)
		err = materialize.Fail(class, "ask stores", hint, err) // the catalog names the store
	}
	if report.Unchanged && err == nil && s.shown() {
		return nil
	}
	return errors.Join(err, s.refresh(ctx))
}

// oneAtATime makes tell safe for concurrent use; nil tells nobody.
func oneAtATime(tell func(materialize.Event)) func(materialize.Event) {
	if tell == nil {
		return func(materialize.Event) {}
	}
	var mu sync.Mutex
	return func(e materialize.Event) {
		mu.Lock()
		defer mu.Unlock()
		tell(e)
	}
}

// fraction gives done of total, 0 to 1; -1 where the total is not known.
func fraction(done, total int64) float64 {
	if total <= 0 {
		return -1
	}
	return min(float64(done)/float64(total), 1)
}
