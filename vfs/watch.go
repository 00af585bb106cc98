package vfs

import (
	"context"
	"slices"
)

// A Change says that a name means something else than before.
type Change struct {
	Dir  string // path of the directory, "" for the root
	Name string
	Gone bool // there is no such name any more
}

// Watch calls tell for what changes in the index, a batch a snapshot, until
// ctx ends, and returns its cause. tell is called from this goroutine. What
// changes without the index (sizes that become known, jobs, next/) is not told:
// [Attr] gives such facts no validity.
func (f *FS) Watch(ctx context.Context, tell func([]Change)) error {
	changed := f.lib.Changed()
	old := f.current()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changed:
		}
		changed = f.lib.Changed()
		now := f.current()
		if c := diff(old, now); len(c) > 0 {
			tell(c)
		}
		old = now
	}
}

// diff lists the names that differ between two views.
func diff(old, now *view) []Change {
	c := diffEntries("", old.snap.Top, now.snap.Top)
	if old.snap.Latest != now.snap.Latest {
		c = append(c, Change{Name: latestName, Gone: now.snap.Latest == ""})
	}
	if !slices.Equal(old.snap.Next, now.snap.Next) {
		c = append(c, Change{Name: nextName, Gone: len(now.snap.Next) == 0})
	}
	for id, b := range now.builds {
		if was, ok := old.builds[id]; ok {
			c = append(c, diffBuild(was, b)...)
		} else {
			c = append(c, Change{Name: id})
		}
	}
	for id := range old.builds {
		if now.builds[id] == nil {
			c = append(c, Change{Name: id, Gone: true})
		}
	}
	return c
}

func diffBuild(old, now *Build) []Change {
	c := diffEntries(now.ID, old.Files, now.Files)
	for i := range now.Arches {
		a := &now.Arches[i]
		j := slices.IndexFunc(old.Arches, func(o Arch) bool { return o.Name == a.Name })
		if j < 0 {
			c = append(c, Change{Dir: now.ID, Name: a.Name})
			continue
		}
		c = append(c, diffEntries(join(now.ID, a.Name), old.Arches[j].Files, a.Files)...)
	}
	for _, o := range old.Arches {
		if !slices.ContainsFunc(now.Arches, func(a Arch) bool { return a.Name == o.Name }) {
			c = append(c, Change{Dir: now.ID, Name: o.Name, Gone: true})
		}
	}
	return c
}

func diffEntries(dir string, old, now []Entry) []Change {
	if slices.EqualFunc(old, now, sameFile) {
		return nil
	}
	var c []Change
	for _, e := range now {
		if was, ok := findEntry(old, e.Name); !ok || !sameFile(was, e) {
			c = append(c, Change{Dir: dir, Name: e.Name})
		}
	}
	for _, e := range old {
		if _, ok := findEntry(now, e.Name); !ok {
			c = append(c, Change{Dir: dir, Name: e.Name, Gone: true})
		}
	}
	return c
}

// sameFile says whether a door that knows a may go on with it for b.
func sameFile(a, b Entry) bool {
	return a.Name == b.Name && a.Size == b.Size && a.SHA256 == b.SHA256 && a.ModTime.Equal(b.ModTime)
}
