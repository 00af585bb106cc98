package fetch

import (
	"sync/atomic"
	"time"

	"cosafs/materialize"
)

// tellEvery is how often progress is told at most.
const tellEvery = 200 * time.Millisecond

// A meter counts bytes and tells of them. Set total before the start.
type meter struct {
	total int64 // bytes
	here  atomic.Int64
	tell  func(materialize.Event)
	wake  chan struct{} // something was counted; never full for long
	quit  chan struct{}
}

func newMeter(tell func(materialize.Event)) *meter {
	return &meter{tell: tell, wake: make(chan struct{}, 1), quit: make(chan struct{})}
}

func (m *meter) add(n int64) {
	m.here.Add(n)
	select {
	case m.wake <- struct{}{}:
	default: // it will be told of already
	}
}

// start begins to tell. stop tells the last, and waits until that is done.
func (m *meter) start() (stop func()) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		m.run()
	}()
	return func() {
		close(m.quit)
		<-over
	}
}

func (m *meter) run() {
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	for {
		select {
		case <-m.quit:
			m.report()
			return
		case <-m.wake:
			m.report()
		}
		select {
		case <-m.quit:
			m.report()
			return
		case <-tick.C:
		}
	}
}

func (m *meter) report() {
	fraction := 1.0
	if m.total > 0 {
		fraction = min(1, float64(m.here.Load())/float64(m.total))
	}
	m.tell(materialize.Event{Phase: "fetch", Fraction: fraction})
}

// An objectMeter counts the bytes of one object, so that they can be taken back
// when they were wrong. It is a writer that counts.
type objectMeter struct {
	m *meter
	n atomic.Int64
}

func (o *objectMeter) add(n int64) {
	o.n.Add(n)
	o.m.add(n)
}

// Write counts.
func (o *objectMeter) Write(p []byte) (int, error) {
	o.add(int64(len(p)))
	return len(p), nil
}

func (o *objectMeter) undo() { o.m.add(-o.n.Swap(0)) }
