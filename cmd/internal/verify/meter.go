package verify

import (
	"sync/atomic"
	"time"

	"cosafs/materialize"
)

// tellEvery is how often progress is told at most.
const tellEvery = 200 * time.Millisecond

// A meter counts the bytes that are read, as a writer, and tells of them.
type meter struct {
	total int64 // bytes, as far as they are recorded
	read  atomic.Int64
	tell  func(materialize.Event) // may be nil
}

// Write counts.
func (m *meter) Write(p []byte) (int, error) {
	m.read.Add(int64(len(p)))
	return len(p), nil
}

// start begins to tell of the findings that are looked at. stop tells the last,
// and waits until that is done.
func (m *meter) start(found []*finding) (stop func()) {
	for _, f := range found {
		if f.state == pending {
			m.total += max(f.image.Size, 0)
		}
	}
	if m.tell == nil {
		return func() {}
	}
	quit, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		m.run(quit)
	}()
	return func() {
		close(quit)
		<-over
	}
}

func (m *meter) run(quit <-chan struct{}) {
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	for {
		select {
		case <-quit:
			m.report()
			return
		case <-tick.C:
			m.report()
		}
	}
}

func (m *meter) report() {
	fraction := 1.0
	if m.total > 0 {
		fraction = min(1, float64(m.read.Load())/float64(m.total))
	}
	m.tell(materialize.Event{Time: time.Now(), Phase: "verify", Fraction: fraction})
}
