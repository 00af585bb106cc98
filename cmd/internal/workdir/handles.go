package workdir

import (
	"os"
	"slices"
	"sync"

	"cosafs/materialize"
	"cosafs/vfs"
)

// handles counts the open files of each build, so that prune leaves a build
// alone that somebody reads through a door of this process.
type handles struct {
	mu   sync.Mutex
	open map[string]int // build id -> open blobs; guarded by mu
}

func (h *handles) add(id string, n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open == nil {
		h.open = map[string]int{}
	}
	if h.open[id] += n; h.open[id] <= 0 {
		delete(h.open, id)
	}
}

// busy says whether somebody holds a file of the build open, or a job of this
// machine makes one.
func (w *Workdir) busy(id string) bool {
	if w.handles.has(id) {
		return true
	}
	return slices.ContainsFunc(w.runner.Jobs(), func(j materialize.JobInfo) bool { return j.Target.Build == id && j.Active() })
}

func (h *handles) has(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open[id] > 0
}

// heldBlob is a blob whose build is busy until it is closed.
type heldBlob struct {
	vfs.Blob
	release func()
}

// Close implements [vfs.Blob].
func (b heldBlob) Close() error {
	b.release()
	return b.Blob.Close()
}

// hold makes the blob keep its build from being pruned.
func (w *Workdir) hold(id string, b vfs.Blob, err error) (vfs.Blob, error) {
	if err != nil || id == "" {
		return b, err
	}
	w.handles.add(id, 1)
	return heldBlob{b, func() { w.handles.add(id, -1) }}, nil
}

// Source implements [vfs.Filed] for blobs that do.
func (b heldBlob) Source(off, n int64) (f *os.File, at int64, ok bool) {
	if filed, ok := b.Blob.(vfs.Filed); ok {
		return filed.Source(off, n)
	}
	return nil, 0, false
}

// Data implements [vfs.Sparse] for blobs that do; of others all is data.
func (b heldBlob) Data(off int64) (start, end int64, ok bool) {
	if s, sparse := b.Blob.(vfs.Sparse); sparse {
		return s.Data(off)
	}
	return off, b.Size(), off < b.Size()
}
