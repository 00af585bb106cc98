package materialize_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	. "cosafs/materialize"
)

// A slowJob runs until it is told to end or its ctx ends.
type slowJob struct {
	end   chan struct{}
	cause error // of its ctx's end
	ended time.Time
}

func (s *slowJob) run(ctx context.Context, _ *Task) (Result, error) {
	defer func() { s.ended = time.Now() }()
	select {
	case <-s.end:
		return Result{Build: "made"}, nil
	case <-ctx.Done():
		s.cause = context.Cause(ctx)
		return Result{}, errors.New("signal: killed") // as os/exec says it
	}
}

// ask calls Do in the background and gives a func that waits for its answer.
func ask(ctx context.Context, r *Runner, w Work, linger time.Duration) func() (Result, error) {
	var res Result
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		res, err = r.Do(ctx, w, linger)
	}()
	return func() (Result, error) {
		<-done
		return res, err
	}
}

func TestLeaderLeavesFollowerStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRunner(t, "", nil)
		job := &slowJob{end: make(chan struct{})}
		ctx, leave := context.WithCancel(t.Context())
		leader := ask(ctx, r, work("k", job.run), 0)
		synctest.Wait()
		follower := ask(t.Context(), r, work("k", nil), 0)
		synctest.Wait()
		leave()
		if _, err := leader(); !errors.Is(err, context.Canceled) {
			t.Errorf("leader got %v, want context.Canceled", err)
		}
		synctest.Wait()
		if info, ok := r.Building("k"); !ok || info.Waiters != 1 {
			t.Errorf("Building = %+v, %v; want one waiter", info, ok)
		}
		close(job.end)
		if res, err := follower(); err != nil || res.Build != "made" {
			t.Errorf("follower got %+v, %v", res, err)
		}
	})
}

func TestAbandonedAfterLinger(t *testing.T) {
	for _, tt := range []struct {
		name    string
		lingers []time.Duration // of the callers, who all leave at once
		want    time.Duration   // how long the job goes on
	}{
		{"none", []time.Duration{0}, 0},
		{"ten seconds", []time.Duration{10 * time.Second}, 10 * time.Second},
		{"the longest counts", []time.Duration{time.Minute, 0, 10 * time.Second}, time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRunner(t, "", nil)
				job := &slowJob{}
				ctx, leave := context.WithCancel(t.Context())
				for _, linger := range tt.lingers {
					ask(ctx, r, work("k", job.run), linger)
				}
				synctest.Wait()
				left := time.Now()
				leave()
				<-time.After(time.Hour)
				synctest.Wait()
				if !errors.Is(job.cause, ErrAbandoned) || job.ended.Sub(left) != tt.want {
					t.Errorf("job ended after %v with %v; want %v, ErrAbandoned", job.ended.Sub(left), job.cause, tt.want)
				}
				if _, failed := r.Memory().Failure("k"); failed {
					t.Error("an abandoned job was remembered as a failure")
				}
				if jobs := r.Jobs(); len(jobs) != 1 || jobs[0].State != JobCancelled {
					t.Errorf("jobs = %+v, want one cancelled", jobs)
				}
			})
		})
	}
}

func TestLingerForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRunner(t, "", nil)
		job := &slowJob{end: make(chan struct{})}
		ctx, leave := context.WithCancel(t.Context())
		ask(ctx, r, work("k", job.run), -1)
		synctest.Wait()
		leave()
		<-time.After(2 * time.Hour)
		again := ask(t.Context(), r, work("k", nil), 0)
		synctest.Wait()
		close(job.end)
		if res, err := again(); err != nil || res.Build != "made" {
			t.Errorf("caller hours later got %+v, %v; want the first job's result", res, err)
		}
	})
}

func TestComeBackWithinLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRunner(t, "", nil)
		job := &slowJob{end: make(chan struct{})}
		ctx, leave := context.WithCancel(t.Context())
		ask(ctx, r, work("k", job.run), 10*time.Second)
		synctest.Wait()
		leave()
		<-time.After(9 * time.Second)
		back := ask(t.Context(), r, work("k", nil), 0)
		<-time.After(time.Minute)
		close(job.end)
		if res, err := back(); err != nil || res.Build != "made" {
			t.Errorf("caller who came back got %+v, %v", res, err)
		}
	})
}

func TestNewJobWhileAbandonedOneEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRunner(t, "", nil)
		running, release := make(chan struct{}), make(chan struct{})
		ctx, leave := context.WithCancel(t.Context())
		var overlap atomic.Bool
		ask(ctx, r, work("k", func(context.Context, *Task) (Result, error) {
			overlap.Store(true)
			close(running)
			<-release // takes its time to end
			overlap.Store(false)
			return Result{}, errors.New("killed")
		}), 0)
		<-running
		leave()
		synctest.Wait()
		second := ask(t.Context(), r, work("k", func(context.Context, *Task) (Result, error) {
			if overlap.Load() {
				t.Error("two jobs of one key ran at the same time")
			}
			return Result{Build: "second"}, nil
		}), 0)
		<-time.After(time.Second)
		close(release)
		if res, err := second(); err != nil || res.Build != "second" {
			t.Errorf("caller after the abandoned job got %+v, %v; want a job of his own", res, err)
		}
	})
}

func TestCancelIsForEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRunner(t, "", nil)
		job := &slowJob{}
		a, b := ask(t.Context(), r, work("k", job.run), 0), ask(t.Context(), r, work("k", job.run), 0)
		synctest.Wait()
		info, _ := r.Building("k")
		if err := r.Cancel(info.ID); err != nil {
			t.Error(err)
		}
		for _, wait := range []func() (Result, error){a, b} {
			if _, err := wait(); !errors.Is(err, ErrCancelled) {
				t.Errorf("waiter of a cancelled job got %v, want ErrCancelled", err)
			}
		}
		if err := r.Cancel(info.ID); err != nil {
			t.Errorf("cancel of an ended job = %v, want nothing", err)
		}
		if _, failed := r.Memory().Failure("k"); failed {
			t.Error("a cancelled job was remembered as a failure")
		}
		ok := work("k", func(context.Context, *Task) (Result, error) { return Result{Build: "again"}, nil })
		if res, err := r.Do(t.Context(), ok, 0); err != nil || res.Build != "again" {
			t.Errorf("Do after a cancel = %+v, %v", res, err)
		}
	})
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRunner(t, "", nil)
		ask(t.Context(), r, work("k", func(_ context.Context, task *Task) (Result, error) {
			for _, phase := range []string{"one", "two"} {
				task.Phase(phase, 0.5)
				<-time.After(time.Second)
			}
			return Result{}, nil
		}), 0)
		synctest.Wait()
		var seen []string
		for info := range r.Watch(t.Context(), "k") {
			seen = append(seen, info.Phase+" "+string(info.State))
		}
		want := []string{"one running", "two running", "two done"}
		if len(seen) != len(want) || seen[0] != want[0] || seen[1] != want[1] || seen[2] != want[2] {
			t.Errorf("watched %q, want %q", seen, want)
		}
	})
}
