package materialize

import (
	"context"
	"time"
)

// A jobContext is what a job's ctx knows of the job.
type jobContext struct{ vm bool }

type (
	jobContextKey struct{}
	followKey     struct{}
)

// inJob marks ctx as a job's own. What its caller followed and wished
// for is nothing to its parts.
func inJob(ctx context.Context, vm bool) context.Context {
	ctx = context.WithValue(ctx, followKey{}, (*Task)(nil))
	ctx = context.WithValue(ctx, wishKey{}, wish{})
	return context.WithValue(ctx, jobContextKey{}, jobContext{vm: vm})
}

// holdsVM says whether ctx is that of a job with a virtual machine.
func holdsVM(ctx context.Context) bool {
	job, ok := ctx.Value(jobContextKey{}).(jobContext)
	return ok && job.vm
}

// Follow gives a ctx with which [Runner.Do] reports the phases of the job that
// it waits for to t, often a [Task.Part] of the job that waits. t.Progress is
// called by several goroutines and must not block.
func Follow(ctx context.Context, t *Task) context.Context {
	return context.WithValue(ctx, followKey{}, t)
}

// followerOf gives the task that Follow put into ctx, nil if there is none.
func followerOf(ctx context.Context) *Task {
	t, _ := ctx.Value(followKey{}).(*Task)
	return t
}

// Tell gives a ctx with which the phases of the jobs that a call waits for go
// to tell, one at a time, until the returned function is called. A reader that
// is too slow misses some.
func Tell(ctx context.Context, tell func(Event)) (context.Context, func()) {
	if tell == nil {
		return ctx, func() {}
	}
	events := make(chan Event, 64)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case e := <-events:
				tell(e)
			case <-stop:
				return
			}
		}
	}()
	task := &Task{Progress: func(phase string, fraction float64) {
		select {
		case events <- Event{Time: time.Now(), Phase: phase, Fraction: fraction}:
		default:
		}
	}}
	return Follow(ctx, task), func() { close(stop); <-done }
}
