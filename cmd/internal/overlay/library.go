package overlay

import (
	"bytes"
	"context"
	"errors"
	"hash/maphash"
	"io/fs"
	"os"
	"slices"
	"sync"

	"cosafs/index"
	"cosafs/materialize"
	"cosafs/vfs"
)

// library is both trees as doors see them.
type library struct {
	ctx      context.Context // ends with close: of looks that no caller's context covers
	stop     context.CancelFunc
	done     chan struct{} // closed when nobody follows the trees any more
	halves   [2]half
	top, low vfs.Library
	stores   []string     // names of the stores, as entries say them
	unasked  func() error // why a store may have what the tree lacks
	seed     maphash.Seed

	merging sync.Mutex // held while snapshots are merged, which reads the local index only
	mu      sync.Mutex // guards the fields below
	now     merged
	next    chan struct{} // closed at the next change
}

var _ vfs.Library = (*library)(nil)

func newLibrary(ctx context.Context, top, low half, stores []string, unasked func() error) *library {
	l := &library{
		stores: stores, unasked: unasked, halves: [2]half{top, low}, top: top.Library(), low: low.Library(),
		seed: maphash.MakeSeed(), next: make(chan struct{}), done: make(chan struct{}),
	}
	ctx, l.stop = context.WithCancel(context.WithoutCancel(ctx))
	l.ctx = ctx
	l.current()
	go l.follow(ctx)
	return l
}

func (l *library) close() {
	l.stop()
	<-l.done
}

// oneBuild says whether both trees mean the same build by an id: whether they have
// the same commit, or one of them has no such build or knows no commit of it.
func (l *library) oneBuild(build, arch string) bool {
	var commits []string
	for _, h := range l.halves {
		commit, err := h.Commit(l.ctx, build, arch)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false
		}
		if commit != "" {
			commits = append(commits, commit)
		}
	}
	return len(commits) < 2 || commits[0] == commits[1]
}

// Snapshot implements [vfs.Library].
func (l *library) Snapshot() *vfs.Snapshot { return l.current().snap }

// Changed implements [vfs.Library].
func (l *library) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next
}

// Resolve implements [vfs.Library]. The order is: what lies in the build
// directory, what a store has, what could be made. A store that can't be asked
// hides what could be made, as absence is not proven.
func (l *library) Resolve(ctx context.Context, build, arch, name string) (vfs.Entry, error) {
	top, err := l.top.Resolve(ctx, build, arch, name)
	if build == materialize.Next || (err == nil && final(top)) || (err != nil && !errors.Is(err, fs.ErrNotExist)) {
		return top, err
	}
	if !l.oneBuild(build, arch) {
		return top, err
	}
	low, lowErr := l.low.Resolve(ctx, build, arch, name)
	switch {
	case errors.Is(lowErr, fs.ErrNotExist):
		return l.doubt(top), err
	case lowErr != nil:
		return low, lowErr
	case err == nil && !stands(top, low):
		return top, nil
	case low.Source == "":
		low.Source = sourceStores
	}
	return low, nil
}

// doubt notes that what could be made may lie in a store that never answered.
func (l *library) doubt(top vfs.Entry) vfs.Entry {
	if why := l.unasked(); why != nil && top.State == materialize.StateBuildable {
		top.State, top.Reason = materialize.StateUnknown, "a store may have it: "+materialize.OneLine(why.Error())
	}
	return top
}

// final says whether no store is asked for what the build directory has, or could
// make of what it has.
func final(top vfs.Entry) bool {
	here := []materialize.State{materialize.StateLocal, materialize.StateCached, materialize.StateBuilding, materialize.StateView}
	return slices.Contains(here, top.State) || top.Source == sourceWorkdir
}

// stands says whether a store's file stands for what the build directory lacks:
// a recorded file only if it has the recorded bytes, and one that could be made
// only if the store has it, or may have it.
func stands(top, low vfs.Entry) bool {
	if top.SHA256 != "" && low.SHA256 != top.SHA256 {
		return false
	}
	return low.State != materialize.StateGone || top.State != materialize.StateBuildable
}

// Refresh implements [vfs.Library].
func (l *library) Refresh(ctx context.Context, e vfs.Entry) (vfs.Entry, error) {
	switch {
	case e.Source == sourceBoth:
		now := l.current().snap.Top
		return now[slices.IndexFunc(now, func(o vfs.Entry) bool { return o.Name == listFile })], nil
	case l.stored(e):
		return l.low.Refresh(ctx, e)
	case e.Build == "" || e.Build == materialize.Next || e.Kind == "" || final(e):
		return l.top.Refresh(ctx, e)
	}
	return l.Resolve(ctx, e.Build, e.Arch, e.Name)
}

// stored says whether an entry is one of the stores'.
func (l *library) stored(e vfs.Entry) bool {
	return e.Source == sourceStores || slices.Contains(l.stores, e.Source)
}

// resolveKind finds the file that a plan is about.
func (l *library) resolveKind(ctx context.Context, t materialize.Target) (vfs.Entry, error) {
	kind, format := materialize.SplitKind(t.Kind)
	name := index.ShortName(index.Kind(kind))
	if format != "" && format != materialize.Plain {
		name += "." + format
	}
	return l.Resolve(ctx, t.Build, t.Arch, name)
}

// Buildable implements [vfs.Library]: without what the stores have.
func (l *library) Buildable(ctx context.Context, build, arch string) []vfs.Entry {
	return slices.DeleteFunc(l.top.Buildable(ctx, build, arch), func(e vfs.Entry) bool {
		now, err := l.Resolve(ctx, build, arch, e.Name)
		return err != nil || l.stored(now)
	})
}

// Progress implements [vfs.Library].
func (l *library) Progress(e vfs.Entry) (float64, bool) {
	if l.stored(e) {
		return l.low.Progress(e)
	}
	return l.top.Progress(e)
}

// Open implements [vfs.Library].
func (l *library) Open(ctx context.Context, e vfs.Entry) (vfs.Blob, error) {
	switch {
	case e.Source == sourceBoth:
		return listBlob{bytes.NewReader(l.current().list)}, nil
	case l.stored(e):
		return l.low.Open(ctx, e)
	case e.State == materialize.StateUnknown:
		if err := l.unasked(); err != nil {
			return nil, err
		}
	}
	return l.top.Open(ctx, e)
}

// Status implements [vfs.Library].
func (l *library) Status() []byte { return slices.Concat(l.top.Status(), l.low.Status()) }

// Jobs implements [vfs.Library].
func (l *library) Jobs() []materialize.JobInfo { return slices.Concat(l.top.Jobs(), l.low.Jobs()) }

// JobFile implements [vfs.Library].
func (l *library) JobFile(id, name string) ([]byte, error) {
	text, err := l.top.JobFile(id, name)
	if errors.Is(err, fs.ErrNotExist) {
		return l.low.JobFile(id, name)
	}
	return text, err
}

// listBlob is the merged builds.json as it was when it was opened.
type listBlob struct{ *bytes.Reader }

// ReadAt implements [vfs.Blob].
func (b listBlob) ReadAt(_ context.Context, p []byte, off int64) (int, error) {
	return b.Reader.ReadAt(p, off)
}

// LocalFile implements [vfs.Blob].
func (b listBlob) LocalFile() (*os.File, bool) { return nil, false }

// Close implements [vfs.Blob].
func (b listBlob) Close() error { return nil }
