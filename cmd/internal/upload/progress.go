package upload

import (
	"io"
	"sync"

	"cosafs/materialize"
)

// A progress tells how much of all files has been read for sending.
type progress struct {
	mu    sync.Mutex // guards done, and makes tell be called one at a time
	total int64      // bytes
	done  int64
	tell  func(materialize.Event)
}

// step is how many bytes pass between two events.
const step = 8 << 20

func newProgress(total int64, tell func(materialize.Event)) *progress {
	return &progress{total: max(total, 1), tell: tell}
}

func (p *progress) add(n int64, it *item) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.done
	p.done += n
	if before/step != p.done/step {
		p.say(it.key.Base())
	}
}

// finish tells that a file is stored.
func (p *progress) finish(it *item) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.say(it.key.Base() + " is stored")
}

// say tells; mu is held.
func (p *progress) say(message string) {
	p.tell(materialize.Event{Phase: "upload", Fraction: min(float64(p.done)/float64(p.total), 1), Message: message})
}

// watch counts what is read of a file, up to its size: a store may read it more
// than once.
func (p *progress) watch(r io.ReaderAt, it *item) io.ReaderAt {
	return &watched{r: r, p: p, it: it, left: it.size}
}

var _ io.ReaderAt = (*watched)(nil)

type watched struct {
	r  io.ReaderAt
	p  *progress
	it *item

	mu   sync.Mutex // guards left
	left int64
}

// ReadAt implements [io.ReaderAt].
func (w *watched) ReadAt(b []byte, off int64) (int, error) {
	n, err := w.r.ReadAt(b, off)
	w.mu.Lock()
	counted := min(int64(n), w.left)
	w.left -= counted
	w.mu.Unlock()
	w.p.add(counted, w.it)
	return n, err
}
