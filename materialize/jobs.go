package materialize

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// errDied is the error of a job whose process was killed.
var errDied = errors.New("the process died")

// hintDied tells what to do about it.
const hintDied = "nothing is lost; ask for it again"

// ended says whether a job in the state goes on.
func (s JobState) ended() bool { return s != JobWaiting && s != JobRunning }

// Jobs lists the jobs that wait or run in this process and in others of this
// machine, and those ended ones that are remembered, newest first; with none the list is
// empty, not nil, as programs that get it in JSON want it. It reads one small file for
// each job that isn't this process's.
func (r *Runner) Jobs() []JobInfo {
	own := r.ownJobs()
	jobs := []JobInfo{}
	for _, id := range r.jobIDs() {
		info, ok := own[id]
		if !ok {
			var err error
			if info, err = r.readInfo(id); err != nil {
				continue // pruned meanwhile, or damaged: one bad job must not hide the others
			}
		}
		jobs = append(jobs, info)
	}
	slices.Reverse(jobs)
	return jobs
}

// Job describes one job; fs.ErrNotExist if it isn't known.
func (r *Runner) Job(id string) (JobInfo, error) {
	if info, ok := r.ownJobs()[id]; ok {
		return info, nil
	}
	return r.readInfo(id)
}

// JobFile gives one of a job's files: log, plan or progress. Other names, and
// jobs that aren't known, are fs.ErrNotExist.
func (r *Runner) JobFile(id, name string) ([]byte, error) {
	switch name {
	case fileLog, filePlan, fileProgress:
	default:
		return nil, fmt.Errorf("file %q of job %q: %w", name, id, fs.ErrNotExist)
	}
	if !validID(id) {
		return nil, fmt.Errorf("job %q: %w", id, fs.ErrNotExist)
	}
	return os.ReadFile(filepath.Join(r.jobPath(id), name))
}

// Building says which job of this machine makes the work with the key, if one
// does. It costs at most the reading of two small files.
func (r *Runner) Building(key string) (JobInfo, bool) {
	r.mu.Lock()
	f := r.flights[key]
	r.mu.Unlock()
	if f != nil {
		return f.snapshot(), true
	}
	if !validName(key) {
		return JobInfo{}, false
	}
	h, ok := readHolder(r.claimPath(key))
	if !ok {
		return JobInfo{}, false
	}
	info, err := r.readInfo(h.Job)
	return info, err == nil && !info.State.ended()
}

// ownJobs describes the jobs of this process by id. A job that has no id yet
// begins within milliseconds and isn't known to anybody.
func (r *Runner) ownJobs() map[string]JobInfo {
	r.mu.Lock()
	defer r.mu.Unlock()
	jobs := map[string]JobInfo{}
	for f := range r.live {
		info := f.snapshot()
		jobs[info.ID] = info
	}
	delete(jobs, "")
	return jobs
}

// jobIDs lists the job folders, oldest first.
func (r *Runner) jobIDs() []string {
	entries, err := os.ReadDir(filepath.Join(r.cfg.StateDir, "jobs"))
	if err != nil {
		r.cfg.Log.Warn("listing jobs", "err", err)
	}
	var ids []string
	for _, e := range entries {
		if validID(e.Name()) {
			ids = append(ids, e.Name())
		}
	}
	return ids
}

// readInfo reads a job's progress file. A job that goes on, says the file, but
// has no process is one that died; it may also have ended between the two
// looks, so the file is read once more.
func (r *Runner) readInfo(id string) (JobInfo, error) {
	info, err := r.readProgress(id)
	if err != nil || info.State.ended() || r.alive(id) {
		return info, err
	}
	if info, err = r.readProgress(id); err == nil && !info.State.ended() {
		info.died(info.Started)
	}
	return info, err
}

// readProgress reads a job's progress file as it is.
func (r *Runner) readProgress(id string) (JobInfo, error) {
	data, err := r.JobFile(id, fileProgress)
	if err != nil {
		return JobInfo{}, err
	}
	return parseInfo(data)
}

// died makes info that of a job whose process was killed.
func (info *JobInfo) died(at time.Time) {
	info.State, info.Ended = JobFailed, at
	info.Error, info.Class, info.Hint = errDied.Error(), ClassInternal, hintDied
}

// alive says whether a process has the job. The shared lock doesn't disturb
// others who ask the same.
func (r *Runner) alive(id string) bool {
	f, err := os.Open(filepath.Join(r.jobPath(id), fileOwner))
	if err != nil {
		return false
	}
	defer f.Close() //nolint:errcheck // nothing was written
	return errors.Is(flock(f, unix.LOCK_SH|unix.LOCK_NB), errLocked)
}

// pruneJobs removes the oldest folders of ended jobs beyond those to keep.
func (r *Runner) pruneJobs() {
	ids := r.jobIDs()
	ended := slices.DeleteFunc(ids, func(id string) bool {
		info, err := r.readProgress(id)
		return err == nil && !info.State.ended() || err != nil && r.alive(id)
	})
	for _, id := range ended[:max(0, len(ended)-r.cfg.Keep)] {
		if err := os.RemoveAll(r.jobPath(id)); err != nil {
			r.cfg.Log.Warn("removing an old job", "job", id, "err", err)
		}
	}
}

// LogTail gives the last lines of a job's log, at most n of them.
func (r *Runner) LogTail(id string, n int) ([]string, error) {
	data, err := r.JobFile(id, fileLog)
	if err != nil {
		return nil, err
	}
	text := strings.TrimRight(string(data), "\n")
	if text == "" {
		return nil, nil
	}
	lines := strings.Split(text, "\n")
	return lines[max(0, len(lines)-n):], nil
}
