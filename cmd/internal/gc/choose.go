package gc

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"cosafs/backend"
	"cosafs/index"
	"cosafs/materialize"
)

// choose decides what goes. It changes nothing.
func (c *collector) choose(ctx context.Context) error {
	c.Tell(materialize.Event{Phase: "choose"})
	candidates := c.candidates()
	if err := c.readMetas(ctx, candidates); err != nil {
		return err
	}
	for i, e := range candidates {
		age, known := c.age(e)
		switch {
		case !c.Policy.Builds.keeps(i, age, known):
			c.doomed = append(c.doomed, e)
			c.condemn(string(e.ID), c.whole(e), "its build is beyond the policy")
		case !c.Policy.Images.keeps(i, age, known) && c.knowsAll(e):
			c.clean(e)
		}
	}
	c.finishCleanups()
	c.leftovers()
	slices.SortFunc(c.victims, func(a, b victim) int { return strings.Compare(string(a.Key), string(b.Key)) })
	return nil
}

// whole gives what goes with a build: all but what somebody may be uploading for
// another architecture.
func (c *collector) whole(e index.Entry) []backend.Info {
	return slices.DeleteFunc(slices.Clone(c.objects[string(e.ID)]), func(info backend.Info) bool {
		return otherArch(e, info.Key) && !c.old(info)
	})
}

// otherArch says whether a key of a build belongs to an architecture that its entry
// does not name.
func otherArch(e index.Entry, key backend.Key) bool {
	parts := strings.Split(string(key), "/")
	return len(parts) > 2 && !slices.Contains(e.Arches, index.Arch(parts[1]))
}

// keeps says whether a build stays: the i-th of those that may go, from 0. One
// whose age nobody knows is young.
func (k Keep) keeps(i int, age time.Duration, known bool) bool {
	return k == Keep{} || i < k.Newest || k.NewerThan > 0 && (!known || age < k.NewerThan)
}

// candidates are the builds that may go at all, newest first.
func (c *collector) candidates() []index.Entry {
	stays := map[index.BuildID]bool{c.list.Latest(): true}
	for _, id := range c.Roots {
		stays[index.BuildID(id)] = true
	}
	for _, t := range c.list.Tags() {
		stays[t.Target] = true
	}
	return slices.DeleteFunc(c.list.Entries(), func(e index.Entry) bool { return stays[e.ID] || c.leased[string(e.ID)] })
}

// readMetas reads what the rules have to know: the documents of builds that are
// not kept for their place in the list, and of those whose cleanup was
// recorded, as it may not have come to its end.
func (c *collector) readMetas(ctx context.Context, candidates []index.Entry) error {
	var wanted []index.Entry
	for i, e := range candidates {
		if !c.Policy.Builds.keeps(i, 0, false) && c.Policy.Builds.NewerThan == 0 {
			continue // goes whole, whatever it has
		}
		if c.Policy.Builds.asks(i) || c.Policy.Images.asks(i) {
			wanted = append(wanted, e)
		}
	}
	for _, e := range c.list.Entries() {
		if e.Cleanup.Images {
			wanted = append(wanted, e)
		}
	}
	c.metas = map[string]*index.Meta{}
	var mu sync.Mutex // guards c.metas
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(c.Parallel)
	for _, dir := range dirs(c.list, wanted) {
		g.Go(func() error {
			m, err := c.readMeta(gctx, dir)
			mu.Lock()
			defer mu.Unlock()
			c.metas[dir] = m
			return err
		})
	}
	return g.Wait()
}

// asks says whether a rule has anything to say of the i-th build.
func (k Keep) asks(i int) bool { return k != Keep{} && i >= k.Newest }

// dirs gives the directories of builds, each once.
func dirs(list *index.Builds, entries []index.Entry) []string {
	var all []string
	for _, e := range entries {
		for _, arch := range e.Arches {
			all = append(all, index.Dir(list, e.ID, arch))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// age gives how old the youngest architecture of a build is.
func (c *collector) age(e index.Entry) (time.Duration, bool) {
	var newest time.Time
	for _, arch := range e.Arches {
		m := c.metas[index.Dir(c.list, e.ID, arch)]
		if m == nil || m.BuildTime().IsZero() {
			return 0, false
		}
		if t := m.BuildTime(); t.After(newest) {
			newest = t
		}
	}
	return c.now.Sub(newest), len(e.Arches) > 0
}

// knowsAll says whether every meta.json of a build can be used.
func (c *collector) knowsAll(e index.Entry) bool {
	for _, arch := range e.Arches {
		if dir := index.Dir(c.list, e.ID, arch); c.metas[dir] == nil {
			c.note("%s stays as it is: its meta.json is missing or damaged", dir)
			return false
		}
	}
	return true
}

// clean takes the artifacts of a build away. What was deleted earlier does not
// come back: of two cleanups the stricter holds.
func (c *collector) clean(e index.Entry) {
	kept := slices.Clone(c.Policy.ImagesKept)
	if e.Cleanup.Images {
		kept = slices.DeleteFunc(kept, func(k index.Kind) bool { return !slices.Contains(e.Cleanup.ImagesKept, k) })
		if len(kept) == len(e.Cleanup.ImagesKept) {
			return // recorded before; finishCleanups sees to the rest
		}
	}
	e.Cleanup.Images, e.Cleanup.ImagesKept = true, kept
	c.cleaned = append(c.cleaned, e)
	c.condemnImages(e, "the policy keeps no such artifact for so long")
}

// finishCleanups deletes what earlier runs have recorded as deleted, and did not
// come to.
func (c *collector) finishCleanups() {
	for _, e := range c.list.Entries() {
		if e.Cleanup.Images && !chosen(c.doomed, string(e.ID)) && !chosen(c.cleaned, string(e.ID)) {
			c.condemnImages(e, "builds.json says since earlier that it is deleted")
		}
	}
}

func chosen(entries []index.Entry, id string) bool {
	return slices.ContainsFunc(entries, func(e index.Entry) bool { return string(e.ID) == id })
}

// condemnImages condemns the files of the artifacts that e's cleanup does not keep.
// A file that is an artifact of two kinds stays for either.
func (c *collector) condemnImages(e index.Entry, why string) {
	files := map[backend.Key]bool{} // whether they go
	for _, arch := range e.Arches {
		dir := index.Dir(c.list, e.ID, arch)
		m := c.metas[dir]
		if m == nil {
			continue
		}
		for _, im := range m.Images() {
			name, err := im.File()
			if err != nil {
				continue // no file of this directory
			}
			key := backend.Key(dir).Join(name)
			before, seen := files[key]
			files[key] = !e.Cleanup.Keeps(im.Kind) && (before || !seen)
		}
	}
	var gone []backend.Info
	for _, info := range c.objects[string(e.ID)] {
		if files[info.Key] && info.Key.Base() != metaFile {
			gone = append(gone, info)
		}
	}
	c.condemn(string(e.ID), gone, why)
}

func (c *collector) condemn(id string, objects []backend.Info, why string) {
	for _, info := range objects {
		c.victims = append(c.victims, victim{Info: info, id: id, why: why})
	}
}
