package materialize

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"time"
)

// A flight is a job of this process: one work, and everybody who waits for it.
type flight struct {
	r      *Runner
	w      Work
	asked  time.Time // when the first caller came
	cancel context.CancelCauseFunc
	done   chan struct{} // closed at the end; res and err are final then
	res    Result
	err    error

	waitedFor string // the job of another flight that held the claim; "" if none

	// Guarded by r.mu.
	tickets int // callers who wait, and lingers of those who left
	lingers []*time.Timer

	mu        sync.Mutex
	info      JobInfo             // guarded by mu
	dirty     bool                // guarded by mu: info is newer than its file
	forEver   bool                // guarded by mu: somebody left who wants it all the same
	followers map[*follower]*Task // guarded by mu
}

// A follower is one call of follow: the same task may follow twice.
type follower struct{ _ byte }

// run flies, and tells everybody.
func (f *flight) run(ctx context.Context) {
	f.res, f.err = f.fly(ctx)
	f.r.ended(f)
}

// fly does the work in a job folder once it has the claim. A flight that finds
// the work done, or ends before it gets its turn, leaves no folder behind.
func (f *flight) fly(ctx context.Context) (Result, error) {
	dir, err := f.r.newJobDir(f)
	if err != nil {
		return Result{}, f.settle(ctx, err)
	}
	defer dir.close()
	defer f.keep(dir)()
	claim, err := f.claim(ctx)
	if err != nil {
		dir.discard()
		return Result{}, f.settle(ctx, err)
	}
	defer f.release(claim)
	if res, ok, err := f.already(ctx); ok || err != nil {
		dir.discard()
		f.end(endState(err), err)
		return res, err
	}
	res, err := f.perform(ctx, dir)
	err = f.settle(ctx, err)
	dir.finish(f, err)
	return res, err
}

// release lets the claim go. A claim that can't be removed is only untidy: the
// next holder removes it.
func (f *flight) release(claim lockFile) {
	if err := claim.remove(); err != nil {
		f.r.cfg.Log.Warn("removing a claim", "job", f.snapshot().ID, "err", err)
	}
}

// perform runs the work with everything that it needs, and takes all of it back.
func (f *flight) perform(ctx context.Context, dir *jobDir) (Result, error) {
	if err := f.checkSpace(); err != nil {
		return Result{}, err
	}
	release, err := f.takeSlot(ctx)
	if err != nil {
		return Result{}, err
	}
	defer release()
	id := f.snapshot().ID
	scratch, err := f.r.makeScratch(id)
	if err != nil {
		return Result{}, err
	}
	defer f.r.sweepJob(context.WithoutCancel(ctx), id)
	f.setState(JobRunning)
	return f.guarded(ctx, &Task{Job: id, Scratch: scratch, Log: dir.log, Progress: f.progress})
}

// guarded makes an error of a panic: it must end one job, not the process that
// holds the mounts. Panics of goroutines that the work starts are beyond reach.
func (f *flight) guarded(ctx context.Context, t *Task) (res Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			t.Logf("panic: %v\n\n%s", p, debug.Stack())
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	return f.w.Run(ctx, t)
}

// settle makes of the work's error what everybody gets, keeps it in the job's
// state and, if it is a failure, in the memory.
func (f *flight) settle(ctx context.Context, err error) error {
	switch cause := context.Cause(ctx); {
	case err == nil:
		f.remember(f.r.cfg.Memory.ClearFailure(f.w.Key))
	case cause != nil:
		err = cause
	case !isCancel(err):
		err = f.fail(err)
	}
	f.end(endState(err), err)
	return err
}

// fail records a failed attempt and gives its error.
func (f *flight) fail(err error) error {
	id := f.snapshot().ID
	fail := asFailure(err, f.w.Title, fmt.Sprintf("see the log with: cosafs logs %s", id))
	causes := failedKeys(err)
	last, _ := f.r.cfg.Memory.Failure(f.w.Key)
	rec := newFailureRecord(id, fail, causes, last, time.Now())
	f.remember(f.r.cfg.Memory.PutFailure(f.w.Key, rec))
	return &JobError{Job: id, Key: f.w.Key, Causes: causes, Err: fail}
}

// remember logs that the memory didn't take something: the job's end is the
// same with and without it.
func (f *flight) remember(err error) {
	if err != nil {
		f.r.cfg.Log.Warn("remembering a job's end", "job", f.snapshot().ID, "err", err)
	}
}

// asFailure gives err as a failure whose text is err's own, with the hint where
// it has none.
func asFailure(err error, op, hint string) *Failure {
	var f *Failure
	switch {
	case !errors.As(err, &f):
		f = Fail(classOfIO(err), op, hint, err)
	case f.Error() != err.Error():
		f = Fail(f.Class, op, f.Hint, err)
	}
	if f.Hint == "" {
		f = Fail(f.Class, f.Op, hint, f.Err)
	}
	return f
}

// classOfIO gives the class of an error that nobody classified.
func classOfIO(err error) Class {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return ClassSpace
	}
	return ClassInternal
}

// isCancel says whether err is nobody's failure: somebody, or nobody, wanted it.
func isCancel(err error) bool {
	return slices.ContainsFunc([]error{ErrCancelled, ErrAbandoned, context.Canceled},
		func(target error) bool { return errors.Is(err, target) })
}

// endState is the state of a job that ended with err.
func endState(err error) JobState {
	switch {
	case err == nil:
		return JobDone
	case isCancel(err):
		return JobCancelled
	default:
		return JobFailed
	}
}
