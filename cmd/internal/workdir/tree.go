package workdir

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"cosafs/index"
	"cosafs/materialize"
	"cosafs/vfs"
)

// tree keeps what the build directory holds as a snapshot in memory, so that
// listing costs no I/O. Jobs of this process tell it of changes; what other
// processes change is found by looking at the directories' times.
type tree struct {
	records  *records
	contents *contents

	refreshing sync.Mutex          // one refresh at a time; held while reading the directory
	dirs       map[string]dirFacts // by directory below builds/, guarded by refreshing
	top        stamp               // of builds.json, guarded by refreshing
	versions   uint64              // given to dirFacts so far, guarded by refreshing

	mu      sync.Mutex // guards the fields below; never held while reading
	snap    *vfs.Snapshot
	next    chan struct{}     // closed at the next change
	problem map[string]string // build id -> why it can't be shown whole
}

func newTree(r *records) *tree {
	return &tree{records: r, contents: newContents(), dirs: map[string]dirFacts{}, snap: &vfs.Snapshot{}, next: make(chan struct{})}
}

// snapshot gives the facts as of the last refresh.
func (t *tree) snapshot() *vfs.Snapshot {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.snap
}

func (t *tree) changed() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.next
}

func (t *tree) problems() map[string]string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.problem)
}

// watchShare bounds what looking for changes may cost where there are thousands
// of builds: a look is followed by a pause of so many times its length.
const watchShare = 20

// watch looks for changes by other processes until ctx ends.
func (t *tree) watch(ctx context.Context, every time.Duration, warn func(error)) {
	pause := time.NewTimer(every)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		began := time.Now()
		if err := t.refresh(ctx); err != nil {
			warn(err)
		}
		pause.Reset(max(every, watchShare*time.Since(began)))
	}
}

// refresh looks at the directory and, if anything changed, makes a new
// snapshot. A builds.json that can't be read keeps the old one.
func (t *tree) refresh(ctx context.Context) error {
	t.refreshing.Lock()
	defer t.refreshing.Unlock()
	list, err := t.records.list(ctx)
	if err != nil {
		t.unreadable(err)
		return err
	}
	dirty := t.noteTop()
	snap := &vfs.Snapshot{Latest: t.records.latest(list), Next: []string{t.records.arch}}
	problem := listProblems(list)
	seen := map[string]dirFacts{}
	for _, e := range entries(list) {
		b, why := t.build(ctx, list, e, seen, &dirty)
		if why != "" {
			problem[string(e.ID)] = why
		}
		if len(b.Arches) > 0 {
			snap.Builds = append(snap.Builds, b)
		}
	}
	dirty = dirty || len(seen) != len(t.dirs) || snap.Latest != t.snapshot().Latest
	t.dirs = seen
	if dirty {
		snap.Top = t.topEntries()
		t.publish(snap, problem)
	}
	return nil
}

// unreadable notes that builds.json can't be read. What the tree showed before
// stays; if it never showed anything, next/ can be there all the same.
func (t *tree) unreadable(err error) {
	old := t.snapshot()
	if old.Serial == 0 {
		old = &vfs.Snapshot{Next: []string{t.records.arch}, Top: t.topEntries()}
	}
	if t.problems()[listFile] == "" {
		now := *old
		t.top = stamp{} // whatever comes next is a change
		t.publish(&now, map[string]string{listFile: err.Error()})
	}
}

// listProblems tells which entries of the list are left out of the tree.
func listProblems(list *index.Builds) map[string]string {
	problem := map[string]string{}
	for _, e := range list.Entries() {
		if !materialize.NamesBuild(string(e.ID)) {
			problem[string(e.ID)] = "a build can't have this name: it means something else beside the builds"
		}
	}
	if err := errors.Join(list.Problems()...); err != nil {
		problem[listFile] = materialize.OneLine(err.Error())
	}
	return problem
}

// noteTop says whether builds.json changed since it was last looked at.
func (t *tree) noteTop() bool {
	now := stampOf(t.records.path("builds.json"))
	changed := now != t.top || t.snapshot().Serial == 0
	t.top = now
	return changed
}

func (t *tree) publish(snap *vfs.Snapshot, problem map[string]string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	snap.Serial = t.snap.Serial + 1
	t.snap, t.problem = snap, problem
	close(t.next)
	t.next = make(chan struct{})
}

func (t *tree) topEntries() []vfs.Entry {
	st, err := os.Stat(t.records.path("builds.json"))
	if err != nil {
		return nil
	}
	return []vfs.Entry{{Name: "builds.json", Size: st.Size(), ModTime: st.ModTime(), State: materialize.StateLocal, Source: sourceWorkdir}}
}

// build gives one build of the list, reading only directories that changed.
func (t *tree) build(ctx context.Context, list *index.Builds, e index.Entry, seen map[string]dirFacts, dirty *bool) (vfs.Build, string) {
	b := vfs.Build{ID: string(e.ID)}
	why := ""
	for _, arch := range archesOf(list, e, t.records.arch) {
		dir := index.Dir(list, e.ID, arch)
		facts, ok := t.facts(ctx, dir, string(e.ID), string(arch), dirty)
		if !ok {
			why = "listed in builds.json, but " + filepath.Join("builds", dir) + " is gone"
			continue
		}
		seen[dir] = facts
		if facts.problem != "" {
			why = facts.problem
		}
		if facts.time.After(b.Time) {
			b.Time = facts.time
		}
		b.Arches = append(b.Arches, vfs.Arch{Name: string(arch), Stamp: facts.version, Files: vfs.FilesOf(facts.files)})
	}
	if list.Legacy() {
		return b, why
	}
	if top, ok := t.facts(ctx, string(e.ID), string(e.ID), "", dirty); ok {
		seen[string(e.ID)] = top
		b.Files = top.files
	}
	return b, why
}

// archesOf gives the architectures of an entry. A legacy list names none; its
// builds are shown as being of this machine's.
func archesOf(list *index.Builds, e index.Entry, arch string) []index.Arch {
	if list.Legacy() {
		return []index.Arch{index.Arch(arch)}
	}
	return e.Arches
}

// isAbsent says whether err proves that something is not there.
func isAbsent(err error) bool { return errors.Is(err, fs.ErrNotExist) }
