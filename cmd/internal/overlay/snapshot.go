package overlay

import (
	"cmp"
	"context"
	"hash/maphash"
	"slices"
	"strings"

	"cosafs/index"
	"cosafs/materialize"
	"cosafs/vfs"
)

// listFile is the list of builds, the only file of the tree that lies nowhere: it
// is the build directory's with what the stores add.
const (
	listFile      = "builds.json"
	sourceBoth    = "workdir and stores"
	sourceStores  = "stores"  // of what no store has any more
	sourceWorkdir = "workdir" // of what lies in the build directory
)

// merged is a snapshot of both trees, and the builds.json that goes with it.
type merged struct {
	snap     *vfs.Snapshot
	top, low *vfs.Snapshot // what it was made of
	list     []byte
}

// follow merges whenever one of the two trees changes, so that who waits for
// changes hears of them, until ctx ends.
func (l *library) follow(ctx context.Context) {
	defer close(l.done)
	for {
		top, low := l.top.Changed(), l.low.Changed()
		l.current()
		select {
		case <-ctx.Done():
			return
		case <-top:
		case <-low:
		}
	}
}

// current is the merge of what both trees give now.
func (l *library) current() merged {
	l.merging.Lock()
	defer l.merging.Unlock()
	top, low := l.top.Snapshot(), l.low.Snapshot()
	l.mu.Lock()
	now := l.now
	l.mu.Unlock()
	if now.top == top && now.low == low {
		return now
	}
	list := l.list()
	snap := l.merge(top, low, list)
	if now.snap != nil {
		snap.Serial = now.snap.Serial + 1
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = merged{snap: snap, top: top, low: low, list: list}
	close(l.next)
	l.next = make(chan struct{})
	return l.now
}

// list gives the builds.json of both. One that can't be read is left out: its
// tree tells why.
func (l *library) list() []byte {
	var lists []*index.Builds
	for _, h := range l.halves {
		if list, err := h.List(l.ctx); err == nil {
			lists = append(lists, list)
		}
	}
	return index.MergeLists(lists...).Bytes()
}

func (l *library) merge(top, low *vfs.Snapshot, list []byte) *vfs.Snapshot {
	snap := &vfs.Snapshot{Serial: 1, Latest: cmp.Or(top.Latest, low.Latest), Next: top.Next}
	at := make(map[string]int, len(low.Builds))
	for i, b := range low.Builds {
		at[b.ID] = i
	}
	for _, b := range top.Builds {
		if i, ok := at[b.ID]; ok {
			b = l.mergeBuild(b, low.Builds[i])
			delete(at, b.ID)
		}
		snap.Builds = append(snap.Builds, b)
	}
	for _, b := range low.Builds {
		if _, ok := at[b.ID]; ok {
			snap.Builds = append(snap.Builds, b)
		}
	}
	slices.SortStableFunc(snap.Builds, func(a, b vfs.Build) int { return b.Time.Compare(a.Time) })
	snap.Top = mergeFiles(top.Top, low.Top)
	if i := slices.IndexFunc(snap.Top, func(e vfs.Entry) bool { return e.Name == listFile }); i >= 0 {
		snap.Top = slices.Clone(snap.Top)
		snap.Top[i] = listEntry(snap.Top[i], list, low.Top)
	}
	return snap
}

// listEntry describes the merged builds.json; it is as new as the newer one.
func listEntry(e vfs.Entry, list []byte, low []vfs.Entry) vfs.Entry {
	e.Size, e.State, e.Source = int64(len(list)), materialize.StateLocal, sourceBoth
	for _, o := range low {
		if o.Name == listFile && o.ModTime.After(e.ModTime) {
			e.ModTime = o.ModTime
		}
	}
	return e
}

func (l *library) mergeBuild(top, low vfs.Build) vfs.Build {
	b := vfs.Build{ID: top.ID, Time: top.Time, Files: mergeFiles(top.Files, low.Files)}
	if b.Time.IsZero() {
		b.Time = low.Time
	}
	for _, a := range top.Arches {
		if i := slices.IndexFunc(low.Arches, func(o vfs.Arch) bool { return o.Name == a.Name }); i >= 0 {
			a = l.mergeArch(top.ID, a, low.Arches[i])
		}
		b.Arches = append(b.Arches, a)
	}
	for _, a := range low.Arches {
		if !slices.ContainsFunc(b.Arches, func(o vfs.Arch) bool { return o.Name == a.Name }) {
			b.Arches = append(b.Arches, a)
		}
	}
	return b
}

// mergeArch gives the files of both directories if they are of one build. Whether
// they are is asked when the files are.
func (l *library) mergeArch(build string, top, low vfs.Arch) vfs.Arch {
	return vfs.Arch{
		Name:  top.Name,
		Stamp: maphash.Comparable(l.seed, [2]uint64{top.Stamp, low.Stamp}),
		Files: func() ([]vfs.Entry, error) {
			files, err := top.Files()
			if err != nil || !l.oneBuild(build, top.Name) {
				return files, err
			}
			more, err := low.Files()
			return mergeFiles(files, more), err
		},
	}
}

// mergeFiles gives the files of both lists in name order; top's hide low's.
func mergeFiles(top, low []vfs.Entry) []vfs.Entry {
	all := slices.Concat(top, low)
	slices.SortStableFunc(all, func(a, b vfs.Entry) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(all, func(a, b vfs.Entry) bool { return a.Name == b.Name })
}
