package catalog

import (
	"context"
	"sync"
)

// A turnstile lets in one at a time for each name.
type turnstile struct {
	mu   sync.Mutex
	busy map[string]chan struct{} // closed when who is in leaves; guarded by mu
}

// enter waits for its turn, or for done, which may be nil. Call leave once.
func (t *turnstile) enter(done <-chan struct{}, name string) (leave func(), err error) {
	for {
		before, mine := t.take(name)
		if before == nil {
			return func() { t.leave(name, mine) }, nil
		}
		select {
		case <-before:
		case <-done:
			return nil, context.Canceled
		}
	}
}

// take gives who is in, or takes the place.
func (t *turnstile) take(name string) (before, mine chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if before = t.busy[name]; before != nil {
		return before, nil
	}
	if t.busy == nil {
		t.busy = make(map[string]chan struct{})
	}
	mine = make(chan struct{})
	t.busy[name] = mine
	return nil, mine
}

func (t *turnstile) leave(name string, mine chan struct{}) {
	t.mu.Lock()
	delete(t.busy, name)
	t.mu.Unlock()
	close(mine)
}
