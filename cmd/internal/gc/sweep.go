package gc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"cosafs/backend"
	"cosafs/cmd/internal/cas"
	"cosafs/index"
	"cosafs/materialize"
)

// maxAge is how long caches may keep builds.json, as cosa says.
const maxAge = "max-age=300"

// record writes into builds.json what is about to go, with the old one beside
// it. Builds that somebody tagged or changed since they were chosen are spared, and
// so is everything that got listed.
func (c *collector) record(ctx context.Context) error {
	var spared map[index.BuildID]bool
	var final *index.Builds
	doc := cas.Document{Store: c.Store, Key: listFile, CacheControl: maxAge}
	_, err := doc.Update(ctx, func(ctx context.Context, old []byte) ([]byte, error) {
		if old == nil {
			return nil, fail("collect garbage", "somebody deleted "+listFile+"; restore it", fs.ErrNotExist)
		}
		list, err := parseList(old)
		if err != nil {
			return nil, err
		}
		changed := false
		if spared, changed, err = c.amend(list); err != nil {
			return nil, err
		}
		final = list
		if !changed {
			return nil, nil
		}
		list.Bump(c.Now())
		return list.Bytes(), c.save(ctx, old)
	})
	if err != nil {
		return err
	}
	c.spare(spared, final)
	return nil
}

// save keeps the list that is about to be replaced, as cosa does.
func (c *collector) save(ctx context.Context, old []byte) error {
	w, _ := backend.As[backend.Writer](c.Store) // check saw it
	_, err := w.Put(ctx, backupFile, cas.Source(old, maxAge), backend.Cond{})
	return err
}

// spare takes the objects of spared builds off the list of victims, and what
// meanwhile got listed. The rest is the report.
func (c *collector) spare(spared map[index.BuildID]bool, final *index.Builds) {
	stays := func(e index.Entry) bool { return spared[e.ID] }
	c.doomed = slices.DeleteFunc(c.doomed, stays)
	c.cleaned = slices.DeleteFunc(c.cleaned, stays)
	for id := range spared {
		c.note("%s stays: somebody tagged or changed it meanwhile", id)
	}
	c.victims = slices.DeleteFunc(c.victims, func(v victim) bool {
		return spared[index.BuildID(v.id)] || !sameArches(c.list, final, index.BuildID(v.id)) && !chosen(c.doomed, v.id)
	})
	c.name()
}

func sameArches(a, b *index.Builds, id index.BuildID) bool {
	return slices.Equal(a.Arches(id), b.Arches(id))
}

// name puts the builds into the report.
func (c *collector) name() {
	for _, e := range c.doomed {
		c.report.Tombstones = append(c.report.Tombstones, string(e.ID))
	}
	for _, e := range c.cleaned {
		c.report.Cleaned = append(c.report.Cleaned, string(e.ID))
	}
}

// foretell reports what a run would do.
func (c *collector) foretell() {
	c.name()
	for _, v := range c.victims {
		c.tally(v)
	}
}

func (c *collector) tally(v victim) {
	c.report.Deleted = append(c.report.Deleted, Object{Key: string(v.Key), Size: v.Size, Why: v.why})
	c.report.Bytes += v.Size
}

// sweep deletes the victims. One that can't be deleted does not keep the others.
func (c *collector) sweep(ctx context.Context) error {
	gone := make([]bool, len(c.victims))
	var mu sync.Mutex // guards done and errs, and makes Tell be called one at a time
	var errs []error
	done := 0
	g := errgroup.Group{}
	g.SetLimit(c.Parallel)
	for i, v := range c.victims {
		g.Go(func() error {
			ok, err := c.remove(ctx, v)
			gone[i] = ok
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
			}
			done++
			c.Tell(materialize.Event{Phase: "delete", Fraction: float64(done) / float64(len(c.victims)), Message: string(v.Key)})
			return nil
		})
	}
	_ = g.Wait() // errs has the errors
	for i, v := range c.victims {
		if gone[i] {
			c.tally(v)
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d objects could not be deleted; the next run tries again: %w", len(errs), len(c.victims), errs[0])
}

// Of a Delete whose answer was lost, the next look tells whether it happened.
const removeTries = 5

// remove deletes an object unless it is another than when it was condemned:
// somebody uploads it anew.
func (c *collector) remove(ctx context.Context, v victim) (gone bool, err error) {
	w, _ := backend.As[backend.Writer](c.Store) // check saw it
	for try := range removeTries {
		var now backend.Info
		now, err = c.Store.Stat(ctx, v.Key)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return true, nil
		case err != nil:
		case now.Size != v.Size || !sameSecond(now.ModTime, v.ModTime):
			return false, nil
		default:
			err = deleteSame(ctx, w, now)
		}
		if err == nil {
			return true, nil
		}
		if ctx.Err() != nil || backend.Final(err) && !errors.Is(err, backend.ErrCondition) {
			return false, err
		}
		if err := cas.Wait(ctx, 50*time.Millisecond<<try); err != nil {
			return false, err
		}
	}
	return false, err
}

// deleteSame deletes an object that was looked at a moment ago. Stores without
// conditional deletes are trusted with that moment: a list never names what goes.
func deleteSame(ctx context.Context, w backend.Writer, info backend.Info) error {
	err := w.Delete(ctx, info.Key, backend.Cond{IfMatch: info.Version})
	if errors.Is(err, errors.ErrUnsupported) {
		err = w.Delete(ctx, info.Key, backend.Cond{})
	}
	return err
}

// sameSecond compares times of a list and of an object: HTTP's are in seconds.
func sameSecond(a, b time.Time) bool { return a.Unix() == b.Unix() }
