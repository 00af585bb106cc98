package materialize

import (
	"context"
	"fmt"
	"io/fs"
	"time"
)

// join gives the flight of the work with one ticket for the caller, starting
// the flight if there is none.
func (r *Runner) join(ctx context.Context, w Work, asked time.Time) (*flight, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, fmt.Errorf("start %s: %w", w.Title, fs.ErrClosed)
	}
	f := r.flights[w.Key]
	if f == nil {
		if err := mayStart(ctx, w); err != nil {
			return nil, err
		}
		f = r.start(ctx, w, asked)
	}
	f.tickets++
	f.count(+1)
	return f, nil
}

// start makes a flight and runs it detached from the caller, who may leave
// before the others do. r.mu is held.
func (r *Runner) start(ctx context.Context, w Work, asked time.Time) *flight {
	detached, cancel := context.WithCancelCause(inJob(context.WithoutCancel(ctx), w.VM))
	f := &flight{r: r, w: w, asked: asked, cancel: cancel, done: make(chan struct{})}
	f.info = JobInfo{
		Key: w.Key, Target: w.Target, Title: w.Title, State: JobWaiting,
		Fraction: -1, Attempt: 1, PID: ownPID(), Started: asked,
	}
	r.flights[w.Key] = f
	r.live[f] = struct{}{}
	go f.run(detached)
	return f
}

// leave takes the caller's ticket away, at once or after linger.
func (r *Runner) leave(f *flight, linger time.Duration) {
	f.count(-1)
	f.linger(linger)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case linger == 0:
		r.drop(f)
	case linger > 0:
		f.lingers = append(f.lingers, time.AfterFunc(linger, func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.drop(f)
		}))
	}
}

// drop gives one ticket back and abandons the flight with the last one. r.mu is
// held.
func (r *Runner) drop(f *flight) {
	f.tickets--
	if f.tickets == 0 {
		r.forget(f)
		f.cancel(ErrAbandoned)
	}
}

// forget lets nobody join the flight any more: a caller who comes now gets a new
// one, which waits until this one has let go of the claim. r.mu is held.
func (r *Runner) forget(f *flight) {
	if r.flights[f.w.Key] == f {
		delete(r.flights, f.w.Key)
	}
}

// ended takes the flight out of the books and wakes everybody who waits for it.
func (r *Runner) ended(f *flight) {
	r.mu.Lock()
	r.forget(f)
	delete(r.live, f)
	for _, t := range f.lingers {
		t.Stop()
	}
	r.mu.Unlock()
	f.cancel(nil)
	close(f.done)
}
