package blobcache

import (
	"context"
	"errors"
	"sync"
)

// A source has ranges that are worth fetching before anybody waits for them.
type source interface {
	// next claims the source's next range; nil where it has none now. A source that
	// has one again later is to be added again.
	next() *fetch
	// done tells how a fetch of the source ended.
	done(err error)
}

// A prefetcher runs the fetches that nobody waits for, so many at once as are
// allowed. Sources take turns. Objects that are wanted as a whole come last.
type prefetcher struct {
	cache *Cache
	max   int

	mu      sync.Mutex
	queues  [2][]source // what a reader may want soon; the rest
	queued  map[source]bool
	running int
	limit   float64 // fetches at once: less after errors, then slowly more again
}

func newPrefetcher(c *Cache, parallel int) *prefetcher {
	return &prefetcher{cache: c, max: parallel, limit: float64(parallel), queued: map[source]bool{}}
}

// add has a source's ranges fetched, until it has none.
func (p *prefetcher) add(s source) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.queued[s] {
		return
	}
	p.queued[s] = true
	q := 0
	if _, whole := s.(*fill); whole {
		q = 1
	}
	p.queues[q] = append(p.queues[q], s)
	if p.running < int(p.limit) && p.cache.spawn(p.work) {
		p.running++
	}
}

// work fetches until nothing is worth it.
func (p *prefetcher) work() {
	for {
		s := p.pop()
		if s == nil {
			return
		}
		f := s.next()
		if f == nil {
			continue
		}
		p.add(s) // others may fetch its next range at the same time
		err := f.run()
		p.adapt(err)
		s.done(err)
	}
}

// pop gives the source whose turn it is. The worker that gets nil has ended.
func (p *prefetcher) pop() source {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, q := range p.queues {
		if len(q) > 0 && p.running <= int(p.limit) {
			p.queues[i] = q[1:]
			delete(p.queued, q[0])
			return q[0]
		}
	}
	p.running--
	return nil
}

// adapt halves the number of fetches at once after an error of the origin, and
// lets it grow by one for each round without.
func (p *prefetcher) adapt(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil:
		p.limit = min(p.limit+1/p.limit, float64(p.max))
	case !errors.Is(err, context.Canceled) && !errors.Is(err, ErrChanged) && !errors.Is(err, errClosed) && !errors.Is(err, errRoom):
		p.limit = max(p.limit/2, 1)
	}
}
