package vfstest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"cosafs/materialize"
	"cosafs/vfs"
)

// epoch dates everything in fixtures.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// Counters say what a library was asked to do.
type Counters struct {
	Opens    int   `json:"opens"`    // calls of Open
	Made     int   `json:"made"`     // items whose bytes were made
	Waiting  int   `json:"waiting"`  // opens that wait now
	Bytes    int64 `json:"bytes"`    // that blobs gave
	Resolves int   `json:"resolves"` // calls of Resolve
}

// item is an item with what became of it.
type item struct {
	Item
	bytes  []byte
	file   string // path of the bytes, "" if there is none
	made   bool
	failed bool
}

// A Library is a fixture as a vfs.Library: it keeps everything in memory,
// counts, and does what the test says.
type Library struct {
	dir  string // for local files
	mute bool

	mu       sync.Mutex // guards all below
	items    map[string]*item
	latest   string
	next     []string
	snap     *vfs.Snapshot
	changed  chan struct{}
	gates    map[string]chan struct{} // closed = open
	counters Counters
}

var _ vfs.Library = (*Library)(nil)

// NewLibrary gives a library of the fixture, which keeps local files in dir.
func NewLibrary(f Fixture, dir string) (*Library, error) {
	l := &Library{
		dir: dir, mute: f.Mute, latest: f.Latest, next: f.Next, items: map[string]*item{},
		gates: map[string]chan struct{}{}, changed: make(chan struct{}),
	}
	l.snap = &vfs.Snapshot{}
	for _, it := range f.Items {
		if err := l.add(it); err != nil {
			return nil, err
		}
	}
	l.publish()
	return l, nil
}

func (l *Library) add(it Item) error {
	b, err := it.Bytes()
	if err != nil {
		return err
	}
	made := &item{Item: it, bytes: b, made: !it.Buildable && !it.Missing}
	if it.Local {
		f, err := os.CreateTemp(l.dir, "local-*")
		if err != nil {
			return err
		}
		_, err = f.Write(b)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		made.file = f.Name()
	}
	l.items[it.Path] = made
	if l.gates[it.Gate] == nil {
		l.gates[it.Gate] = make(chan struct{})
	}
	return nil
}

// publish makes a new snapshot; callers hold mu, or nobody else knows l.
func (l *Library) publish() {
	s := &vfs.Snapshot{Serial: l.snap.Serial + 1, Latest: l.latest, Next: slices.Clone(l.next)}
	builds := map[string]*vfs.Build{}
	files := map[string][]vfs.Entry{} // by build/arch
	for _, it := range l.items {
		build, arch, _ := it.split()
		switch {
		case build == materialize.Next || it.View || !it.made && !it.Missing:
		case build == "":
			s.Top = append(s.Top, l.entry(it))
		default:
			if builds[build] == nil {
				builds[build] = &vfs.Build{ID: build, Time: epoch}
			}
			addFile(builds[build], files, arch, l.entry(it))
		}
	}
	for id, b := range builds {
		for i := range b.Arches {
			a := &b.Arches[i]
			a.Stamp, a.Files = s.Serial, vfs.FilesOf(files[id+"/"+a.Name])
		}
		s.Builds = append(s.Builds, *b)
	}
	slices.SortFunc(s.Builds, func(a, b vfs.Build) int { return strings.Compare(b.ID, a.ID) })
	l.snap = s
	close(l.changed)
	l.changed = make(chan struct{})
}

// addFile adds a file to a build, or to files where it is an architecture's.
func addFile(b *vfs.Build, files map[string][]vfs.Entry, arch string, e vfs.Entry) {
	if arch == "" {
		b.Files = insert(b.Files, e)
		return
	}
	if !slices.ContainsFunc(b.Arches, func(a vfs.Arch) bool { return a.Name == arch }) {
		b.Arches = append(b.Arches, vfs.Arch{Name: arch})
	}
	files[b.ID+"/"+arch] = insert(files[b.ID+"/"+arch], e)
}

func insert(list []vfs.Entry, e vfs.Entry) []vfs.Entry {
	list = append(list, e)
	slices.SortFunc(list, func(a, b vfs.Entry) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// entry describes an item as it is now; callers hold mu.
func (l *Library) entry(it *item) vfs.Entry {
	build, arch, name := it.split()
	e := vfs.Entry{
		Build: build, Arch: arch, Name: name, Kind: it.Kind, Size: -1, ModTime: epoch,
		State: materialize.StateBuildable, SHA256: it.SHA256, Inputs: it.Inputs, Stamp: it.Stamp,
	}
	if it.made || it.Missing {
		e.Size = int64(len(it.bytes))
	}
	switch {
	case it.failed:
		e.State, e.Reason = materialize.StateFailed, it.Reason
	case it.View:
		e.State = materialize.StateView
	case it.made:
		e.State, e.Source = materialize.StateLocal, "workdir"
	}
	return e
}

// Put adds an item, or replaces it.
func (l *Library) Put(it Item) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.add(it); err != nil {
		return err
	}
	l.publish()
	return nil
}

// Remove takes away every item whose path starts with prefix.
func (l *Library) Remove(prefix string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for path := range l.items {
		if strings.HasPrefix(path, prefix) {
			delete(l.items, path)
		}
	}
	l.publish()
}

// SetLatest moves the link.
func (l *Library) SetLatest(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.latest = id
	l.publish()
}

// OpenGate lets everybody through who waits at the gate, now and later.
func (l *Library) OpenGate(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.gates[name])
}

// Counters gives the counters as they are now.
func (l *Library) Counters() Counters {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counters
}

// Snapshot implements vfs.Library.
func (l *Library) Snapshot() *vfs.Snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.snap
}

// Changed implements vfs.Library.
func (l *Library) Changed() <-chan struct{} {
	if l.mute {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// Resolve implements vfs.Library.
func (l *Library) Resolve(_ context.Context, build, arch, name string) (vfs.Entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counters.Resolves++
	for _, it := range l.items {
		b, a, n := it.split()
		if b == build && a == arch && (n == name || it.Short == name) {
			return l.entry(it), nil
		}
	}
	return vfs.Entry{}, fs.ErrNotExist
}

// find gives the item behind an entry; callers hold mu.
func (l *Library) find(e vfs.Entry) (*item, error) {
	it, ok := l.items[filepath.ToSlash(filepath.Join(e.Build, e.Arch, e.Name))]
	switch {
	case !ok:
		return nil, fs.ErrNotExist
	case it.Inputs != e.Inputs:
		return nil, vfs.ErrStale
	}
	return it, nil
}

// Refresh implements vfs.Library.
func (l *Library) Refresh(_ context.Context, e vfs.Entry) (vfs.Entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	it, err := l.find(e)
	if err != nil {
		return vfs.Entry{}, err
	}
	return l.entry(it), nil
}

// Buildable implements vfs.Library.
func (l *Library) Buildable(_ context.Context, build, arch string) []vfs.Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []vfs.Entry
	for _, it := range l.items {
		if b, a, _ := it.split(); b == build && a == arch && !it.made && !it.Missing {
			list = append(list, l.entry(it))
		}
	}
	return list
}

// Progress implements vfs.Library: whatever waits is half done.
func (l *Library) Progress(e vfs.Entry) (float64, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	it, err := l.find(e)
	return 0.5, err == nil && !it.made && l.counters.Waiting > 0
}

// Status implements vfs.Library.
func (l *Library) Status() []byte {
	c := l.Counters()
	return fmt.Appendf(nil, "opens %d\nmade %d\n", c.Opens, c.Made)
}

// Jobs implements vfs.Library: one job for each item that was made.
func (l *Library) Jobs() []materialize.JobInfo {
	l.mu.Lock()
	defer l.mu.Unlock()
	jobs := make([]materialize.JobInfo, l.counters.Made)
	for i := range jobs {
		jobs[i] = materialize.JobInfo{ID: strconv.Itoa(i + 1), Started: epoch, Ended: epoch}
	}
	return jobs
}

// JobFile implements vfs.Library.
func (l *Library) JobFile(id, name string) ([]byte, error) {
	return fmt.Appendf(nil, "%s of job %s\n", name, id), nil
}
