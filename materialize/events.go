package materialize

import (
	"context"
	"sync"
)

// eventBuffer is how many events a slow reader may be behind before he loses
// the oldest.
const eventBuffer = 256

// A hub passes events on to whoever listens.
type hub struct {
	mu     sync.Mutex
	closed bool
	subs   map[chan Event]struct{}
}

// Events gives what the jobs of this process tell from now on: phases, and
// states as messages. A reader who falls behind loses the oldest events, never
// holds up a job. The channel is closed when ctx ends or the runner does.
func (r *Runner) Events(ctx context.Context) <-chan Event {
	ch := r.hub.subscribe()
	context.AfterFunc(ctx, func() { r.hub.unsubscribe(ch) })
	return ch
}

func (h *hub) subscribe() chan Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	ch := make(chan Event, eventBuffer)
	if h.closed {
		close(ch)
		return ch
	}
	if h.subs == nil {
		h.subs = map[chan Event]struct{}{}
	}
	h.subs[ch] = struct{}{}
	return ch
}

func (h *hub) unsubscribe(ch chan Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.subs[ch]; ok {
		delete(h.subs, ch)
		close(ch)
	}
}

// publish never waits: publishers take turns under the lock, so that after one
// event is taken out of a full channel there is room for one.
func (h *hub) publish(e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for ch := range h.subs {
		select {
		case ch <- e:
			continue
		default:
		}
		select {
		case <-ch:
		default:
		}
		ch <- e
	}
}

func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for ch := range h.subs {
		close(ch)
	}
	clear(h.subs)
}
