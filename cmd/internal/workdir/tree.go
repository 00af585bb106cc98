package workdir

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
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
	records *records

	refreshing sync.Mutex           // one refresh at a time; held while reading the directory
	arches     map[string]archFacts // by directory below builds/, guarded by refreshing
	top        stamp                // of builds.json, guarded by refreshing

	mu      sync.Mutex // guards the fields below; never held while reading
	snap    *vfs.Snapshot
	next    chan struct{}     // closed at the next change
	problem map[string]string // build id -> why it can't be shown whole
}

func newTree(r *records) *tree {
	return &tree{records: r, arches: map[string]archFacts{}, snap: &vfs.Snapshot{}, next: make(chan struct{})}
}

// stamp is what shows that a file or directory changed.
type stamp struct {
	mtime time.Time
	size  int64
}

func stampOf(path string) stamp {
	st, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return stamp{st.ModTime(), st.Size()}
}

// archFacts is what one build's directory held when it looked so.
type archFacts struct {
	dir, meta stamp
	files     []vfs.Entry
	time      time.Time
	problem   string
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

// watch looks for changes by other processes until ctx ends.
func (t *tree) watch(ctx context.Context, every time.Duration, warn func(error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := t.refresh(ctx); err != nil {
				warn(err)
			}
		}
	}
}

// refresh looks at the directory and, if anything changed, makes a new
// snapshot. A builds.json that can't be read keeps the old one.
func (t *tree) refresh(ctx context.Context) error {
	t.refreshing.Lock()
	defer t.refreshing.Unlock()
	list, err := t.records.list(ctx)
	if err != nil {
		return err
	}
	dirty := t.noteTop()
	snap := &vfs.Snapshot{Latest: t.records.latest(list), Next: []string{t.records.arch}}
	problem := map[string]string{}
	seen := map[string]archFacts{}
	for _, e := range list.Entries() {
		b, why := t.build(ctx, list, e, seen, &dirty)
		if why != "" {
			problem[string(e.ID)] = why
		}
		if len(b.Arches) > 0 {
			snap.Builds = append(snap.Builds, b)
		}
	}
	dirty = dirty || len(seen) != len(t.arches) || snap.Latest != t.snapshot().Latest
	t.arches = seen
	if dirty {
		snap.Top = t.topEntries()
		t.publish(snap, problem)
	}
	return nil
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
	return []vfs.Entry{{Name: "builds.json", Size: st.Size(), ModTime: st.ModTime(), State: materialize.StateLocal}}
}

// build gives one build of the list, reading only directories that changed.
func (t *tree) build(ctx context.Context, list *index.Builds, e index.Entry, seen map[string]archFacts, dirty *bool) (vfs.Build, string) {
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
		b.Arches = append(b.Arches, vfs.Arch{Name: string(arch), Files: facts.files})
	}
	if !list.Legacy() {
		b.Files = plainFiles(t.records.path(string(e.ID)), string(e.ID), "")
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

// facts gives what a directory holds, from memory where nothing changed.
func (t *tree) facts(ctx context.Context, dir, id, arch string, dirty *bool) (archFacts, bool) {
	path := t.records.path(dir)
	now := archFacts{dir: stampOf(path), meta: stampOf(filepath.Join(path, "meta.json"))}
	if now.dir == (stamp{}) {
		return now, false
	}
	if old, ok := t.arches[dir]; ok && old.dir == now.dir && old.meta == now.meta {
		return old, true
	}
	*dirty = true
	now.files = plainFiles(path, id, arch)
	meta, err := t.records.meta(ctx, path)
	if err != nil {
		now.problem = err.Error()
		return now, true
	}
	now.time = meta.BuildTime()
	describeImages(now.files, meta, now.time)
	return now, true
}

// plainFiles lists a directory's files as the tree shows them: no dot files,
// which are locks and files not yet finished, and no links.
func plainFiles(dir, id, arch string) []vfs.Entry {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var files []vfs.Entry
	for _, e := range entries {
		st, err := e.Info()
		if err != nil || !st.Mode().IsRegular() || !index.ValidName(e.Name()) || hidden(e.Name()) {
			continue
		}
		files = append(files, vfs.Entry{
			Build: id, Arch: arch, Name: e.Name(), Size: st.Size(), ModTime: st.ModTime(), State: materialize.StateLocal,
		})
	}
	return files
}

// hidden says whether a file is a lock, or the temporary one by which cosa
// replaces a JSON document (cosa.md 1.2: tmp and eight random characters).
func hidden(name string) bool {
	return name[0] == '.' || (len(name) == 11 && name[:3] == "tmp" && filepath.Ext(name) == "")
}

// describeImages adds to the files what meta.json says of them.
func describeImages(files []vfs.Entry, meta *index.Meta, when time.Time) {
	for _, im := range meta.Images() {
		name, err := im.File()
		if err != nil {
			continue
		}
		i := slices.IndexFunc(files, func(f vfs.Entry) bool { return f.Name == name })
		if i >= 0 {
			files[i].Kind, files[i].SHA256, files[i].ModTime = string(im.Kind), im.SHA256, when
		}
	}
}

// isAbsent says whether err proves that something is not there.
func isAbsent(err error) bool { return errors.Is(err, fs.ErrNotExist) }
