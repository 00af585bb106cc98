package materialize

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Cancel ends a job for everybody who waits for it, in this process and in the
// others of this machine; they get [ErrCancelled]. It doesn't wait for the end,
// and a job that has ended is left as it is. fs.ErrNotExist if the job isn't
// known.
func (r *Runner) Cancel(id string) error {
	info, err := r.Job(id)
	if err != nil {
		return fmt.Errorf("cancel job %s: %w", id, err)
	}
	if info.State.ended() {
		return nil
	}
	// The process that has the job looks for this file. Others who wait for the
	// same work read the moment, which tells whether they were meant.
	now := time.Now().Format(time.RFC3339Nano)
	if err := os.WriteFile(filepath.Join(r.jobPath(id), fileCancel), []byte(now), 0o644); err != nil {
		return fmt.Errorf("cancel job %s: %w", id, err)
	}
	if f := r.ownFlight(id); f != nil {
		r.cancelFlight(f)
	}
	return nil
}

// ownFlight gives the job if it is one of this process.
func (r *Runner) ownFlight(id string) *flight {
	r.mu.Lock()
	defer r.mu.Unlock()
	for f := range r.live {
		if f.snapshot().ID == id {
			return f
		}
	}
	return nil
}

// cancelFlight ends a job of this process.
func (r *Runner) cancelFlight(f *flight) {
	r.mu.Lock()
	r.forget(f)
	r.mu.Unlock()
	f.cancel(ErrCancelled)
}

// cancelledAt says whether, and when, somebody cancelled the job. A file that is
// being written this moment is seen at the next look.
func (r *Runner) cancelledAt(id string) (time.Time, bool) {
	if !validID(id) {
		return time.Time{}, false
	}
	data, err := os.ReadFile(filepath.Join(r.jobPath(id), fileCancel))
	if err != nil {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339Nano, string(data))
	return at, err == nil
}

// Retry forgets the remembered failure of a work, given its key or the id of a
// job that did it, together with the failures below it that caused it. No error
// where nothing is remembered; fs.ErrNotExist for the id of an unknown job.
func (r *Runner) Retry(jobOrKey string) error {
	key := jobOrKey
	if validID(jobOrKey) {
		info, err := r.Job(jobOrKey)
		if err != nil {
			return fmt.Errorf("retry job %s: %w", jobOrKey, err)
		}
		key = info.Key
	}
	if !validName(key) {
		return fmt.Errorf("retry %q: %w", jobOrKey, fs.ErrInvalid)
	}
	rec, _ := r.cfg.Memory.Failure(key)
	for _, k := range append([]string{key}, rec.Causes...) {
		if err := r.cfg.Memory.ClearFailure(k); err != nil {
			return fmt.Errorf("retry %s: %w", jobOrKey, err)
		}
	}
	return nil
}
