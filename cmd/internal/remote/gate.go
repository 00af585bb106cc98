package remote

import "sync"

// A gate lets requests in until it is shut. It is safe for concurrent use.
type gate struct {
	mu     sync.Mutex
	closed bool          // guarded by mu
	inside int           // guarded by mu
	empty  chan struct{} // guarded by mu; closed when the last one leaves a shut gate
}

// enter says whether one more may come in. Who did has to leave.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.inside++
	}
	return !g.closed
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside--; g.inside == 0 && g.empty != nil {
		close(g.empty)
	}
}

// shut lets nobody in any more, and returns when nobody is left. It is called once.
func (g *gate) shut() {
	g.mu.Lock()
	g.closed = true
	empty := make(chan struct{})
	if g.inside == 0 {
		close(empty)
	} else {
		g.empty = empty
	}
	g.mu.Unlock()
	<-empty
}
