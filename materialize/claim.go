package materialize

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// claimPath is the lock file of everybody on this machine who wants to do the
// work.
func (r *Runner) claimPath(key string) string {
	return filepath.Join(r.cfg.StateDir, "claims", key)
}

// claim waits until the flight may do its work alone on this machine. What a
// holder that was killed left behind is cleared away first.
func (f *flight) claim(ctx context.Context) (lockFile, error) {
	path := f.r.claimPath(f.w.Key)
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		lock, err := tryLock(path)
		if err == nil {
			return lock, f.own(ctx, lock)
		}
		if !errors.Is(err, errLocked) {
			return lockFile{}, fmt.Errorf("claim the work: %w", err)
		}
		f.watchHolder(path)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return lockFile{}, context.Cause(ctx)
		}
	}
}

// own writes the flight into a claim that it got. A claim is removed when it is
// let go in order, so one with content is a dead process's.
func (f *flight) own(ctx context.Context, lock lockFile) error {
	if dead, ok := readHolder(lock.Name()); ok {
		f.r.bury(ctx, dead.Job, &RecoverReport{})
	}
	if err := lock.write(f.holder()); err != nil {
		return errors.Join(fmt.Errorf("claim the work: %w", err), lock.remove())
	}
	return nil
}

// watchHolder shows the phase of the job that does the work, and remembers which
// one it is.
func (f *flight) watchHolder(path string) {
	h, ok := readHolder(path)
	if !ok {
		return
	}
	f.waitedFor = h.Job
	if info, err := f.r.readInfo(h.Job); err == nil {
		f.progress(fmt.Sprintf("waiting for job %s of process %d: %s", h.Job, h.PID, info.Phase), info.Fraction)
	}
}

// already gives the work's end if somebody else reached it while this flight
// waited: a result, a failure since, or a cancel, which is meant for everybody
// who waited at that moment.
func (f *flight) already(ctx context.Context) (Result, bool, error) {
	if res, ok, err := f.w.Done(ctx); ok || err != nil {
		return res, ok, err
	}
	if rec, ok := f.r.cfg.Memory.Failure(f.w.Key); ok && !rec.Time.Before(f.asked) {
		return Result{}, false, rec.err(f.w.Key)
	}
	if at, ok := f.r.cancelledAt(f.waitedFor); ok && at.After(f.asked) {
		return Result{}, false, ErrCancelled
	}
	return Result{}, false, nil
}
