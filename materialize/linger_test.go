package materialize_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	. "cosafs/materialize"
)

// Who looks at a job that nobody waits for sees when it will end.
func TestLingeringJobSaysUntilWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRunner(t, "", nil)
		job := &slowJob{end: make(chan struct{})}
		for _, linger := range []time.Duration{time.Minute, time.Second} { // the longer patience counts
			ctx, leave := context.WithCancel(t.Context())
			answer := ask(ctx, r, work("k", job.run), linger)
			synctest.Wait()
			leave()
			if _, err := answer(); !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v", err)
			}
		}
		jobs := r.Jobs()
		if len(jobs) != 1 || jobs[0].Waiters != 0 || !jobs[0].Until.Equal(time.Now().Add(time.Minute)) {
			t.Fatalf("jobs = %+v, want one until in a minute", jobs)
		}
		until := jobs[0].Until
		<-time.After(2 * time.Minute) // the bubble's time
		synctest.Wait()
		if !job.ended.Equal(until) {
			t.Errorf("it ended at %v, want %v", job.ended, until)
		}
	})
}

// The part of a job that was cancelled, or abandoned after its linger, does not
// linger once more.
func TestPartsDoNotLingerAfterTheirJob(t *testing.T) {
	for name, end := range map[string]func(r *Runner, leave func()){
		"cancelled": func(r *Runner, _ func()) {
			for _, j := range r.Jobs() {
				if j.Key == "whole" {
					if err := r.Cancel(j.ID); err != nil {
						t.Error(err)
					}
				}
			}
		},
		"abandoned": func(_ *Runner, leave func()) { leave() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRunner(t, "", nil)
				part := &slowJob{end: make(chan struct{})}
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				answer := ask(ctx, r, work("whole", func(ctx context.Context, _ *Task) (Result, error) {
					return r.Do(ctx, work("part", part.run), time.Hour)
				}), 0)
				synctest.Wait()
				began := time.Now()
				end(r, leave)
				if _, err := answer(); err == nil {
					t.Error("it succeeded")
				}
				synctest.Wait()
				if part.cause == nil || part.ended.Sub(began) > time.Second {
					t.Errorf("the part went on until %v after: %v", part.ended.Sub(began), part.cause)
				}
			})
		})
	}
}
