package materialize_test

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	. "cosafs/materialize"
)

// A reader gets what others have made, and starts nothing.
func TestReaderStartsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRunner(t, "", nil)
		reader := WithLinger(WithoutMaking(t.Context()), time.Hour) // he may be patient all the same
		_, err := r.Do(reader, work("k", func(context.Context, *Task) (Result, error) {
			t.Error("the work ran")
			return Result{}, nil
		}), 0)
		class, hint := ClassOf(err)
		if !errors.Is(err, ErrNotAllowed) || !errors.Is(err, fs.ErrPermission) || class != ClassConfig || !strings.Contains(hint, "builder") {
			t.Errorf("got %v, class %q, hint %q; want ErrNotAllowed with whom to ask", err, class, hint)
		}
		if jobs := r.Jobs(); len(jobs) != 0 {
			t.Errorf("jobs = %+v, want none", jobs)
		}
		if _, failed := r.Memory().Failure("k"); failed {
			t.Error("the refusal was remembered as a failure, for builders too")
		}
		if res, err := r.Do(t.Context(), work("k", func(context.Context, *Task) (Result, error) { return Result{Build: "made"}, nil }), 0); err != nil || res.Build != "made" {
			t.Errorf("a builder afterwards got %+v, %v", res, err)
		}
	})
}

// What exists is there for a reader, and a remembered failure is told as it is.
func TestReaderGetsWhatIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRunner(t, "", nil)
		reader := WithoutMaking(t.Context())
		there := work("there", nil)
		there.Done = func(context.Context) (Result, bool, error) { return Result{Build: "there"}, true, nil }
		if res, err := r.Do(reader, there, 0); err != nil || res.Build != "there" {
			t.Errorf("what exists: %+v, %v", res, err)
		}
		broken := work("broken", func(context.Context, *Task) (Result, error) {
			return Result{}, Fail(ClassPackage, "compose", "fix it", errors.New("no such package"))
		})
		if _, err := r.Do(t.Context(), broken, 0); err == nil {
			t.Fatal("the broken work succeeded")
		}
		if _, err := r.Do(reader, broken, 0); errors.Is(err, ErrNotAllowed) || err == nil {
			t.Errorf("what failed: %v, want the failure", err)
		}
	})
}

// A reader who comes while a job runs waits for it like anybody.
func TestReaderJoins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRunner(t, "", nil)
		job := &slowJob{end: make(chan struct{})}
		ctx, leave := context.WithCancel(t.Context())
		builder := ask(ctx, r, work("k", job.run), 0)
		synctest.Wait()
		reader := ask(WithoutMaking(t.Context()), r, work("k", nil), 0)
		synctest.Wait()
		leave()
		if _, err := builder(); !errors.Is(err, context.Canceled) {
			t.Errorf("builder got %v, want context.Canceled", err)
		}
		synctest.Wait()
		if info, ok := r.Building("k"); !ok || info.Waiters != 1 {
			t.Errorf("Building = %+v, %v; want the reader to keep it going", info, ok)
		}
		close(job.end)
		if res, err := reader(); err != nil || res.Build != "made" {
			t.Errorf("reader got %+v, %v", res, err)
		}
		if jobs := r.Jobs(); len(jobs) != 1 {
			t.Errorf("jobs = %+v, want one", jobs)
		}
	})
}

// Nothing new comes of moving, or of unpacking what is there: a reader may.
func TestReaderMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRunner(t, "", nil)
		w := work("k", func(context.Context, *Task) (Result, error) { return Result{Build: "moved"}, nil })
		w.Moves = true
		if res, err := r.Do(WithoutMaking(t.Context()), w, 0); err != nil || res.Build != "moved" {
			t.Errorf("got %+v, %v; want it moved", res, err)
		}
	})
}

// What a job needs is started by the job: neither the wishes of who started it nor
// those of who only waits for it bind its parts.
func TestPartsAreNotBoundByWishes(t *testing.T) {
	for name, wish := range map[string]func(context.Context) context.Context{
		"none":   func(ctx context.Context) context.Context { return ctx },
		"linger": func(ctx context.Context) context.Context { return WithLinger(ctx, time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRunner(t, "", nil)
				part := &slowJob{end: make(chan struct{})}
				whole := ask(wish(t.Context()), r, work("whole", func(ctx context.Context, _ *Task) (Result, error) {
					ctx, stop := context.WithTimeout(ctx, time.Minute)
					defer stop()
					return r.Do(ctx, work("part", part.run), 0)
				}), 0)
				synctest.Wait()
				reader := ask(WithoutMaking(t.Context()), r, work("whole", nil), 0)
				synctest.Wait()
				if _, ok := r.Building("part"); !ok {
					t.Error("the part was not started")
				}
				began := time.Now()
				_, err1 := whole()
				_, err2 := reader()
				for _, err := range []error{err1, err2} {
					if errors.Is(err, ErrNotAllowed) || !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("got %v, want the part's own time limit", err)
					}
				}
				synctest.Wait()
				// The job left its part without patience, whatever its caller's.
				if d := part.ended.Sub(began); d != time.Minute {
					t.Errorf("the part went on for %v, want a minute", d)
				}
			})
		})
	}
}

// A caller's linger wins over the usual one, be it longer or shorter.
func TestWithLinger(t *testing.T) {
	for _, tt := range []struct {
		name        string
		usual, mine time.Duration
		want        time.Duration // how long the job goes on
	}{
		{"longer", 10 * time.Second, 30 * time.Minute, 30 * time.Minute},
		{"shorter", 30 * time.Minute, 10 * time.Second, 10 * time.Second},
		{"none", time.Minute, 0, 0},
		{"rather than for ever", -1, time.Second, time.Second},
		{"for ever", time.Second, -1, 2 * time.Hour}, // until the test's end
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRunner(t, "", nil)
				job := &slowJob{}
				ctx, leave := context.WithCancel(t.Context())
				// The last word counts, and it goes with the others.
				w := work("k", job.run)
				w.Moves = true
				answer := ask(WithLinger(WithoutMaking(WithLinger(ctx, time.Hour)), tt.mine), r, w, tt.usual)
				synctest.Wait()
				left := time.Now()
				leave()
				if _, err := answer(); !errors.Is(err, context.Canceled) {
					t.Errorf("got %v, want context.Canceled", err)
				}
				<-time.After(2 * time.Hour)
				synctest.Wait()
				if _, going := r.Building("k"); going != (tt.mine < 0) {
					t.Errorf("it goes on: %v", going)
				}
				if tt.mine < 0 {
					return
				}
				if d := job.ended.Sub(left); d != tt.want || !errors.Is(job.cause, ErrAbandoned) {
					t.Errorf("it ended after %v with %v, want %v, ErrAbandoned", d, job.cause, tt.want)
				}
			})
		})
	}
}

// Each caller's patience is his own.
func TestLingersOfSeveralCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRunner(t, "", nil)
		job := &slowJob{}
		ctx, leave := context.WithCancel(t.Context())
		ask(ctx, r, work("k", job.run), 10*time.Second)
		synctest.Wait()
		ask(WithLinger(ctx, time.Minute), r, work("k", nil), 10*time.Second)
		ask(WithLinger(ctx, 0), r, work("k", nil), 10*time.Second)
		synctest.Wait()
		left := time.Now()
		leave()
		synctest.Wait()
		if jobs := r.Jobs(); !slices.ContainsFunc(jobs, func(j JobInfo) bool { return j.Until.Equal(left.Add(time.Minute)) }) {
			t.Errorf("jobs = %+v, want one until in a minute", jobs)
		}
		<-time.After(time.Hour)
		synctest.Wait()
		if d := job.ended.Sub(left); d != time.Minute {
			t.Errorf("it ended after %v, want a minute", d)
		}
	})
}
