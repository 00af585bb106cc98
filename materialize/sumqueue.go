package materialize

import (
	"context"
	"fmt"
	"sync"
)

// A sumQueue does small works in the background, one at a time, in the order in
// which they were asked for. Its goroutine runs while there is work. The zero value is
// an empty queue; it is safe for concurrent use.
type sumQueue struct {
	mu      sync.Mutex
	works   []sumWork           // guarded by mu: what waits
	keys    map[string]struct{} // guarded by mu: of what waits, and of what is being done
	closed  bool                // guarded by mu
	stop    context.CancelFunc  // guarded by mu: ends the goroutine's ctx
	stopped chan struct{}       // guarded by mu: closed at the goroutine's end; nil where there is none
}

// A sumWork is done once at a time for its key.
type sumWork struct {
	key string
	do  func(ctx context.Context)
}

// add has the work done, with a ctx that ends when the queue is closed and not with
// the caller's. A work that waits already, or is being done, is not added, nor is any
// to a closed queue. It never waits for a work.
func (q *sumQueue) add(ctx context.Context, w sumWork) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, ok := q.keys[w.key]; ok || q.closed {
		return
	}
	if q.keys == nil {
		q.keys = map[string]struct{}{}
	}
	q.keys[w.key] = struct{}{}
	q.works = append(q.works, w)
	if q.stopped != nil {
		return
	}
	ctx, q.stop = context.WithCancel(context.WithoutCancel(ctx))
	q.stopped = make(chan struct{})
	go q.run(ctx)
}

// run does what waits until nothing does, or the queue is closed.
func (q *sumQueue) run(ctx context.Context) {
	for {
		w, ok := q.next()
		if !ok {
			return
		}
		w.do(ctx)
		q.mu.Lock()
		delete(q.keys, w.key)
		q.mu.Unlock()
	}
}

// next takes the next work; without one the goroutine is at its end.
func (q *sumQueue) next() (sumWork, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || len(q.works) == 0 {
		q.stop()
		close(q.stopped)
		q.stopped = nil
		return sumWork{}, false
	}
	w := q.works[0]
	q.works = q.works[1:]
	return w, true
}

// close ends the work that is being done, forgets those that wait, and waits until the
// goroutine has ended or ctx ends.
func (q *sumQueue) close(ctx context.Context) error {
	q.mu.Lock()
	q.closed = true
	stopped := q.stopped
	if stopped != nil {
		q.stop()
	}
	q.mu.Unlock()
	if stopped == nil {
		return nil
	}
	select {
	case <-stopped:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("work in the background has not ended yet: %w", context.Cause(ctx))
	}
}
