package webui_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"
	"time"

	"cosafs/materialize"
	"cosafs/vfs/webui"
)

// workshop is a service whose Materialise and Build are jobs that go on until they
// are ended, one after the other.
type workshop struct {
	*fake
	steps []string // ids of the jobs that a work takes
	quiet bool     // no event names a job

	before time.Duration // how long work takes before its first job

	mu        sync.Mutex
	jobs      []materialize.JobInfo // guarded by mu; newest first
	logs      map[string]*jobLog    // guarded by mu
	ends      map[string]chan error // guarded by mu
	asked     int                   // guarded by mu: calls of Jobs
	following int                   // guarded by mu: followers of logs now
	followed  int                   // guarded by mu: and ever
}

type jobLog struct {
	text    bytes.Buffer
	changed chan struct{} // closed with the next change
}

func newWorkshop(steps ...string) *workshop {
	return &workshop{fake: newFake(), steps: steps, logs: map[string]*jobLog{}, ends: map[string]chan error{}}
}

// begin adds a running job.
func (s *workshop) begin(id, build string) chan error {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := materialize.JobInfo{ID: id, State: materialize.JobRunning, Fraction: -1, Waiters: 1, Target: materialize.Target{Build: build}}
	s.jobs = slices.Insert(s.jobs, 0, j)
	s.logs[id] = &jobLog{changed: make(chan struct{})}
	s.ends[id] = make(chan error, 1)
	return s.ends[id]
}

// change changes a job.
func (s *workshop) change(id string, change func(*materialize.JobInfo)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.jobs {
		if s.jobs[i].ID == id {
			change(&s.jobs[i])
		}
	}
}

// print adds to a job's log.
func (s *workshop) print(id, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.logs[id]
	l.text.WriteString(text)
	close(l.changed)
	l.changed = make(chan struct{})
}

// end ends a job.
func (s *workshop) end(id string, err error) {
	s.change(id, func(j *materialize.JobInfo) {
		j.State = materialize.JobDone
		if err != nil {
			j.State, j.Error = materialize.JobFailed, err.Error()
			j.Class, j.Hint = materialize.ClassOf(err)
		}
		if errors.Is(err, materialize.ErrCancelled) {
			j.State = materialize.JobCancelled
		}
	})
	s.print(id, "") // its followers look
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ends[id] <- err
}

// work is a call that takes the jobs of s.steps.
func (s *workshop) work(ctx context.Context, build string, tell func(materialize.Event)) error {
	<-time.After(s.before)
	for _, id := range s.steps {
		ended := s.begin(id, build)
		if tell != nil && !s.quiet {
			tell(materialize.Event{Job: id, Phase: "begun"})
		}
		select {
		case err := <-ended:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func (s *workshop) Materialise(ctx context.Context, path string, tell func(materialize.Event)) (materialize.Result, error) {
	if err := s.note("materialise %s", path); err != nil {
		return materialize.Result{}, err
	}
	err := s.work(ctx, "41.1", tell)
	_ = s.note("materialised %s: %v", path, err) // what it says is for its caller
	return materialize.Result{Path: path}, err
}

func (s *workshop) Build(ctx context.Context, req webui.BuildRequest, tell func(materialize.Event)) (webui.BuildResult, error) {
	if err := s.note("build %v", req.Force); err != nil {
		return webui.BuildResult{}, err
	}
	return webui.BuildResult{ID: "41.2"}, s.work(ctx, materialize.Next, tell)
}

// Plan knows the job that runs, or that failed.
func (s *workshop) Plan(context.Context, string) (materialize.Plan, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.jobs {
		if j.Active() {
			return materialize.Plan{State: materialize.StateBuilding, Job: j.ID}, nil
		}
		if j.State == materialize.JobFailed {
			return materialize.Plan{State: materialize.StateFailed, Job: j.ID}, nil
		}
	}
	return materialize.Plan{State: materialize.StateBuildable}, nil
}

func (s *workshop) Jobs(context.Context) ([]materialize.JobInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return slices.Clone(s.jobs), nil
}

func (s *workshop) Cancel(_ context.Context, id string) error {
	s.end(id, materialize.ErrCancelled)
	return nil
}

func (s *workshop) Log(ctx context.Context, id string, follow bool, w io.Writer) error {
	if follow {
		s.count(1)
		defer s.count(-1)
	}
	for at := 0; ; {
		piece, over, changed, err := s.read(id, at)
		if err != nil {
			return err
		}
		if len(piece) > 0 {
			if _, err := w.Write(piece); err != nil {
				return err
			}
		}
		at += len(piece)
		if !follow || over {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (s *workshop) read(id string, at int) (piece []byte, over bool, changed <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.logs[id]
	if l == nil {
		return nil, false, nil, fmt.Errorf("job %s: %w", id, fs.ErrNotExist)
	}
	for _, j := range s.jobs {
		over = over || j.ID == id && !j.Active()
	}
	return slices.Clone(l.text.Bytes()[at:]), over, l.changed, nil
}

func (s *workshop) count(by int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.following += by
	s.followed += max(by, 0)
}

// followers are those of logs: now, and ever.
func (s *workshop) followers() (now, ever int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.following, s.followed
}

// listed is how often jobs were listed.
func (s *workshop) listed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}
