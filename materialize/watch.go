package materialize

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"time"
)

// Watch gives the state of a job of any process of this machine whenever it has
// changed, beginning with the present one and ending with the last one, or with
// ctx. jobOrKey is a job's id or the key of a work; there is nothing to see
// where no job has it.
func (r *Runner) Watch(ctx context.Context, jobOrKey string) iter.Seq[JobInfo] {
	return func(yield func(JobInfo) bool) {
		id := jobOrKey
		if info, ok := r.Building(jobOrKey); ok {
			id = info.ID
		}
		tick := time.NewTicker(pollInterval)
		defer tick.Stop()
		var last JobInfo
		for {
			info, err := r.Job(id)
			if err != nil {
				return
			}
			if info != last && !yield(info) || info.State.ended() {
				return
			}
			last = info
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}
}

// FollowLog copies a job's log to w: what there is, and with follow what comes
// until the job ends or ctx does, whose cause it then gives. The job may be one
// of another process. fs.ErrNotExist if it isn't known.
func (r *Runner) FollowLog(ctx context.Context, id string, w io.Writer, follow bool) error {
	if !validID(id) {
		return fmt.Errorf("job %q: %w", id, fs.ErrNotExist)
	}
	log, err := os.Open(filepath.Join(r.jobPath(id), fileLog))
	if err != nil {
		return fmt.Errorf("log of job %s: %w", id, err)
	}
	defer log.Close() //nolint:errcheck // nothing was written
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		// Asked before the copy: what a job wrote before its end is not missed.
		info, gone := r.Job(id)
		if _, err := io.Copy(w, log); err != nil {
			return fmt.Errorf("log of job %s: %w", id, err)
		}
		if !follow || gone != nil || info.State.ended() {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
