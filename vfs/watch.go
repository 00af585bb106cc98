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

// A Watcher tells what changes in the index. It is for one goroutine.
type Watcher struct {
	fs      *FS
	changed <-chan struct{}
	seen    *view
}

// Watch gives a watcher of everything that changes from now on.
func (f *FS) Watch() *Watcher {
	return &Watcher{fs: f, changed: f.lib.Changed(), seen: f.current()}
}

// Next waits for changes and gives them, or the cause of ctx's end. What changes
// without the index (sizes that become known, jobs, next/) is not told: [Attr]
// gives such facts no validity.
func (w *Watcher) Next(ctx context.Context) ([]Change, error) {
	for {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-w.changed:
		}
		w.changed = w.fs.lib.Changed()
		old := w.seen
		w.seen = w.fs.current()
		if c := diff(old, w.seen); len(c) > 0 {
			return c, nil
		}
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
		c = append(c, diffArch(now.ID, &old.Arches[j], a)...)
	}
	for _, o := range old.Arches {
		if !slices.ContainsFunc(now.Arches, func(a Arch) bool { return a.Name == o.Name }) {
			c = append(c, Change{Dir: now.ID, Name: o.Name, Gone: true})
		}
	}
	return c
}

// diffArch compares the files of one architecture. Where the index can't tell
// what they were or are, nothing is told: a lookup will.
func diffArch(build string, old, now *Arch) []Change {
	if old.Stamp == now.Stamp {
		return nil
	}
	was, err := old.Files()
	is, err2 := now.Files()
	if err != nil || err2 != nil {
		return nil
	}
	return diffEntries(join(build, now.Name), was, is)
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
