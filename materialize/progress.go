package materialize

import (
	"maps"
	"slices"
	"time"
)

// snapshot gives the job as it is now.
func (f *flight) snapshot() JobInfo {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.info
}

// count changes the number of callers who wait.
func (f *flight) count(by int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.info.Waiters += by
	f.dirty = true
}

// linger notes how long the job goes on after a caller who left. Those who left
// with more patience keep it going for longer.
func (f *flight) linger(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch until := time.Now().Add(d); {
	case d < 0:
		f.forEver, f.info.Until = true, time.Time{}
	case !f.forEver && until.After(f.info.Until):
		f.info.Until = until
	}
	f.dirty = true
}

// progress takes a phase from the work and passes it on to whoever listens. It
// waits for nobody: the file is written later, by keep.
func (f *flight) progress(phase string, fraction float64) {
	fraction = min(fraction, 1)
	f.mu.Lock()
	if f.info.Phase == phase && f.info.Fraction == fraction {
		f.mu.Unlock()
		return
	}
	f.info.Phase, f.info.Fraction, f.dirty = phase, fraction, true
	id := f.info.ID
	followers := slices.Collect(maps.Values(f.followers))
	f.mu.Unlock()
	f.r.hub.publish(Event{Time: time.Now(), Job: id, Phase: phase, Fraction: fraction})
	for _, t := range followers {
		t.Progress(phase, fraction)
	}
}

// follow reports further phases to t until stop is called, beginning with the
// one that the job is in. t may be nil.
func (f *flight) follow(t *Task) (stop func()) {
	if t == nil || t.Progress == nil {
		return func() {}
	}
	id := &follower{}
	f.mu.Lock()
	if f.followers == nil {
		f.followers = map[*follower]*Task{}
	}
	f.followers[id] = t
	phase, fraction := f.info.Phase, f.info.Fraction
	f.mu.Unlock()
	if phase != "" {
		t.Progress(phase, fraction)
	}
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.followers, id)
	}
}

// setState tells that the job waits or runs.
func (f *flight) setState(s JobState) {
	f.mu.Lock()
	f.info.State, f.dirty = s, true
	if s == JobRunning {
		f.info.Phase, f.info.Fraction = "", -1
	}
	id := f.info.ID
	f.mu.Unlock()
	f.r.hub.publish(Event{Time: time.Now(), Job: id, Fraction: -1, Message: string(s)})
}

// end tells the job's final state.
func (f *flight) end(s JobState, err error) {
	f.mu.Lock()
	f.info.State, f.info.Ended, f.dirty = s, time.Now(), true
	if err != nil {
		f.info.Error = err.Error()
		if s == JobFailed {
			f.info.Class, f.info.Hint = ClassOf(err)
		}
	} else {
		f.info.Fraction = 1
	}
	e := Event{Time: f.info.Ended, Job: f.info.ID, Phase: f.info.Phase, Fraction: f.info.Fraction, Message: string(s)}
	if err != nil {
		e.Message += ": " + f.info.Error
	}
	f.mu.Unlock()
	f.r.hub.publish(e)
}

// keep writes the job's progress file and watches for a cancel from another
// process, ten times a second, until stop is called.
func (f *flight) keep(dir *jobDir) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(pollInterval)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				f.beat(dir)
			}
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}

// beat is one round of keep.
func (f *flight) beat(dir *jobDir) {
	f.mu.Lock()
	dirty := f.dirty
	f.dirty = false
	f.mu.Unlock()
	if dirty {
		_ = dir.save(f) // for show only, and tried again with the next change
	}
	if _, ok := f.r.cancelledAt(f.snapshot().ID); ok {
		f.r.cancelFlight(f)
	}
}
