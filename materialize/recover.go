package materialize

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A RecoverReport says what dead processes had left.
type RecoverReport struct {
	Jobs      []string `json:"jobs"`      // ids of jobs that had not ended
	Killed    int      `json:"killed"`    // processes that still ran for them
	Unmounted int      `json:"unmounted"` // mounts below their scratch
	Scratch   int      `json:"scratch"`   // scratch directories of no known job
}

// Recover clears away what killed processes left: jobs that never ended are
// marked as failed, their children killed, their mounts and scratch directories
// removed. A job of a live process is never touched: its folder is locked, which
// holds in any container and after a reboot, where process ids say nothing.
func (r *Runner) Recover(ctx context.Context) (RecoverReport, error) {
	var rep RecoverReport
	for _, id := range r.jobIDs() {
		if err := ctx.Err(); err != nil {
			return rep, err
		}
		r.bury(ctx, id, &rep)
	}
	return rep, errors.Join(r.removeDeadClaims(), r.removeNewDirs(), r.removeOrphans(&rep))
}

// bury ends a job whose process died. It does nothing to one that has ended or
// lives, or that somebody else is burying.
func (r *Runner) bury(ctx context.Context, id string, rep *RecoverReport) {
	info, err := r.readProgress(id)
	if err == nil && info.State.ended() || r.alive(id) {
		return
	}
	owner, err := r.lockDead(ctx, id)
	if err != nil {
		return // gone, or buried by somebody else this moment
	}
	defer owner.Close() //nolint:errcheck // its content is of no interest any more
	if info, err = r.readProgress(id); err == nil && info.State.ended() {
		return // it ended in order while we looked
	}
	killed, unmounted := r.sweepJob(ctx, id)
	rep.Jobs = append(rep.Jobs, id)
	rep.Killed += killed
	rep.Unmounted += unmounted
	info.ID = id
	info.died(time.Now())
	if err := writeJSON(filepath.Join(r.jobPath(id), fileProgress), info); err != nil {
		r.cfg.Log.Warn("writing a dead job's end", "job", id, "err", err)
	}
}

// lockDead locks a dead job's folder. Somebody may be asking whether it lives,
// which takes a moment.
func (r *Runner) lockDead(ctx context.Context, id string) (lockFile, error) {
	var lock lockFile
	err := errLocked
	for range 5 {
		lock, err = tryLock(filepath.Join(r.jobPath(id), fileOwner))
		if !errors.Is(err, errLocked) {
			break
		}
		select {
		case <-time.After(pollInterval / 5):
		case <-ctx.Done():
			return lockFile{}, context.Cause(ctx)
		}
	}
	return lock, err
}

// removeDeadClaims removes claims that nobody holds. Their jobs are buried
// already.
func (r *Runner) removeDeadClaims() error {
	dir := filepath.Join(r.cfg.StateDir, "claims")
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		lock, lockErr := tryLock(filepath.Join(dir, e.Name()))
		switch {
		case errors.Is(lockErr, errLocked):
		case lockErr != nil:
			err = errors.Join(err, lockErr)
		default:
			err = errors.Join(err, lock.remove())
		}
	}
	if err != nil {
		return fmt.Errorf("remove dead claims: %w", err)
	}
	return nil
}

// removeNewDirs removes job folders that were never finished. A process needs
// milliseconds to finish one; an hour is beyond doubt.
func (r *Runner) removeNewDirs() error {
	dir := filepath.Join(r.cfg.StateDir, "jobs")
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		info, infoErr := e.Info()
		if infoErr != nil || !strings.HasPrefix(e.Name(), newDirPrefix) || time.Since(info.ModTime()) < time.Hour {
			continue
		}
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}

// removeOrphans removes scratch directories whose jobs have ended or are
// forgotten. Directories with other names belong to others.
func (r *Runner) removeOrphans(rep *RecoverReport) error {
	entries, err := os.ReadDir(r.cfg.ScratchDir)
	for _, e := range entries {
		if !validID(e.Name()) || r.alive(e.Name()) {
			continue
		}
		n, rmErr := removeScratch(r.scratchPath(e.Name()))
		rep.Unmounted += n
		rep.Scratch++
		err = errors.Join(err, rmErr)
	}
	return err
}
