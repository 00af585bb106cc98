package webui

import (
	"context"
	"sync"
	"time"

	"cosafs/materialize"
)

// feedPoll is how often a followed job is looked at.
const feedPoll = time.Second

// feedKeeps is how many bytes of a log's end a feed has at hand. Who is further
// behind reads the log by himself.
const feedKeeps = 256 << 10

// A feed follows one job for all who watch it: its log once, and its state once a
// second.
type feed struct {
	id    string
	stop  context.CancelFunc
	done  chan struct{} // closed when nothing runs for the feed any more
	users int           // guarded by feeds.mu

	mu      sync.Mutex
	changed chan struct{}       // guarded by mu; closed with the next change
	job     materialize.JobInfo // guarded by mu
	log     []byte              // guarded by mu: the end of what is known of the log
	start   int64               // guarded by mu: where in the log it begins
	over    bool                // guarded by mu: nothing changes any more
}

// feeds are the jobs that somebody watches.
type feeds struct {
	service Service

	mu   sync.Mutex
	open map[string]*feed // guarded by mu
}

// join gives the feed of a job, which the caller has to leave. Its life is not
// that of the ctx, as others may join.
func (all *feeds) join(ctx context.Context, job materialize.JobInfo) *feed {
	all.mu.Lock()
	defer all.mu.Unlock()
	f := all.open[job.ID]
	if f == nil {
		ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
		f = &feed{id: job.ID, stop: stop, done: make(chan struct{}), changed: make(chan struct{}), job: job}
		all.open[job.ID] = f
		go f.run(ctx, all.service)
	}
	f.users++
	return f
}

// leave ends the feed with the last who leaves, and waits for its end.
func (all *feeds) leave(f *feed) {
	all.mu.Lock()
	f.users--
	last := f.users == 0
	if last {
		delete(all.open, f.id)
	}
	all.mu.Unlock()
	if last {
		f.stop()
		<-f.done
	}
}

// run follows the job until it has ended, or nobody watches.
func (f *feed) run(ctx context.Context, s Service) {
	defer close(f.done)
	logged := make(chan struct{})
	go func() {
		defer close(logged)
		_ = s.Log(ctx, f.id, true, f) // a job without a log has a state all the same
	}()
	defer func() { <-logged }()
	tick := time.NewTicker(feedPoll)
	defer tick.Stop()
	for more := logged; ; {
		// The log is over before the state is looked at for the last time.
		if f.look(ctx, s) && more == nil {
			f.update(func() { f.over = true })
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-more:
			more = nil
		case <-tick.C:
		}
	}
}

// look asks for the job's state, and says whether it is the last. One that can't
// be had now is asked for again.
func (f *feed) look(ctx context.Context, s Service) (last bool) {
	jobs, err := s.Jobs(ctx)
	if err != nil {
		return false
	}
	job := materialize.JobInfo{ID: f.id, State: materialize.JobCancelled, Error: "it is no longer remembered", Fraction: -1}
	for _, j := range jobs {
		if j.ID == f.id {
			job = j
		}
	}
	f.update(func() { f.job = job })
	return !job.Active()
}

// Write takes a piece of log.
func (f *feed) Write(p []byte) (int, error) {
	f.update(func() {
		f.log = append(f.log, p...)
		if more := len(f.log) - feedKeeps; more > 0 {
			f.start += int64(more)
			f.log = append(f.log[:0], f.log[more:]...)
		}
	})
	return len(p), nil
}

// update makes a change and tells who waits for one.
func (f *feed) update(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	close(f.changed)
	f.changed = make(chan struct{})
}

// A view is a feed as it was at one moment, for one who watches.
type view struct {
	job     materialize.JobInfo
	log     []byte // goes on where he is
	behind  bool   // the log does not go on there: he is behind its kept end
	start   int64  // of the kept end
	over    bool   // with this log all is told
	changed <-chan struct{}
}

// from gives the view of one who has the log up to an offset: one piece of what
// comes then.
func (f *feed) from(offset int64) view {
	f.mu.Lock()
	defer f.mu.Unlock()
	v := view{job: f.job, start: f.start, behind: offset < f.start, over: f.over, changed: f.changed}
	end := f.start + int64(len(f.log))
	if !v.behind && offset < end {
		rest := f.log[offset-f.start:]
		v.log = append(v.log, rest[:min(len(rest), eventBytes)]...)
	}
	v.over = v.over && offset+int64(len(v.log)) >= end
	return v
}
