package materialize

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// The files of a job's folder. The first three are for people and scripts.
const (
	fileLog      = "log"      // everything the job and its children printed
	filePlan     = "plan"     // what it was going to do
	fileProgress = "progress" // its JobInfo as JSON
	fileOwner    = "owner"    // locked for as long as its process lives
	fileCancel   = "cancel"   // present: somebody wants the job to end
)

// newDirPrefix names folders that are not complete yet.
const newDirPrefix = ".new-"

// A jobDir is the folder of a job of this process.
type jobDir struct {
	path  string
	owner lockFile
	log   *os.File

	mu    sync.Mutex // serialises writes of the progress file
	ended bool       // guarded by mu: the file is final, or gone
}

// jobPath is the folder of the job with the id.
func (r *Runner) jobPath(id string) string { return filepath.Join(r.cfg.StateDir, "jobs", id) }

// newJobDir gives the flight an id and a folder. The folder appears under its
// name with everything in it and locked, so that whoever sees one that isn't
// locked knows that its process has died.
func (r *Runner) newJobDir(f *flight) (*jobDir, error) {
	for {
		id := r.ids.next(time.Now())
		dir, err := r.tryJobDir(f, id)
		switch {
		case errors.Is(err, fs.ErrExist):
		case err != nil:
			return nil, Fail(classOfIO(err), "make job folder", "see whether there is space in, and permission for, "+r.cfg.StateDir, err)
		default:
			return dir, nil
		}
	}
}

// tryJobDir makes the folder, or gives fs.ErrExist if the id is taken.
func (r *Runner) tryJobDir(f *flight, id string) (*jobDir, error) {
	tmp, path := r.jobPath(newDirPrefix+id), r.jobPath(id)
	if err := os.Mkdir(tmp, 0o755); err != nil {
		return nil, err
	}
	f.name(id, filepath.Join(path, fileLog))
	d := &jobDir{path: tmp}
	err := d.fill(f)
	if err == nil {
		err = os.Rename(tmp, path) // fs.ErrExist if the id is taken
	}
	if err == nil {
		d.path = path
		d.log, err = os.OpenFile(filepath.Join(path, fileLog), os.O_WRONLY|os.O_APPEND, 0)
	}
	if err != nil {
		d.close()
		_ = os.RemoveAll(tmp) // the first error is the one that matters
		return nil, err
	}
	return d, nil
}

// name gives the flight its id.
func (f *flight) name(id, log string) {
	last, _ := f.r.cfg.Memory.Failure(f.w.Key)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.info.ID, f.info.Log, f.info.Attempt = id, log, last.Attempt+1
}

// holder is what the flight writes into what it locks.
func (f *flight) holder() holder {
	return holder{Boot: bootID(), PID: ownPID(), Job: f.snapshot().ID}
}

// fill writes the first state of every file.
func (d *jobDir) fill(f *flight) (err error) {
	if d.owner, err = tryLock(filepath.Join(d.path, fileOwner)); err != nil {
		return err
	}
	if err := d.owner.write(f.holder()); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(d.path, filePlan), []byte(planText(f.w)), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(d.path, fileLog), nil, 0o644); err != nil {
		return err
	}
	return d.save(f)
}

// save replaces the progress file by the flight's state. The state is read
// under the lock, so that the last write is the newest state.
func (d *jobDir) save(f *flight) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		return nil
	}
	return writeJSON(filepath.Join(d.path, fileProgress), f.snapshot())
}

// finish writes the job's end into its folder and makes room for newer jobs.
func (d *jobDir) finish(f *flight, err error) {
	if err != nil {
		_, hint := ClassOf(err)
		// The log is for people; a full disk must not hide the job's own end.
		_, _ = fmt.Fprintf(d.log, "%s== %s: %v\n%s\n", details(err), endState(err), err, hint)
	}
	if err := d.save(f); err != nil {
		f.r.cfg.Log.Warn("writing a job's end", "path", d.path, "err", err)
	}
	f.r.pruneJobs()
}

// details gives all lines of the cause where err itself tells it in one.
func details(err error) string {
	for ; err != nil; err = errors.Unwrap(err) {
		if text := strings.TrimSpace(err.Error()); strings.Contains(text, "\n") {
			return text + "\n"
		}
	}
	return ""
}

// discard removes the folder of a job that did nothing.
func (d *jobDir) discard() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
	_ = os.RemoveAll(d.path) // a leftover is an ended job to everybody
}

// close lets the folder go: from now on its job is over for every process.
func (d *jobDir) close() {
	if d.log != nil {
		_ = d.log.Close() // children wrote it by their own descriptors
	}
	if d.owner.File != nil {
		_ = d.owner.Close() // its content is no longer of interest
	}
}

// planText is the plan for people.
func planText(w Work) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s of %s\n", w.Title, w.Target)
	if w.Plan == nil {
		return b.String()
	}
	fmt.Fprintf(&b, "%s: %s\n", w.Plan.State, w.Plan.Reason)
	for i, s := range w.Plan.Steps {
		mark := ""
		if s.Done {
			mark = " (there already)"
		}
		fmt.Fprintf(&b, "%d. %s: %s%s\n   %s\n", i+1, s.Do, s.What, mark, s.Why)
	}
	return b.String()
}

// parseInfo reads a progress file.
func parseInfo(data []byte) (JobInfo, error) {
	var info JobInfo
	if err := json.Unmarshal(data, &info); err != nil {
		return JobInfo{}, fmt.Errorf("progress of a job: %w", err)
	}
	if !validID(info.ID) {
		return JobInfo{}, fmt.Errorf("progress of job %q: %w", info.ID, fs.ErrInvalid)
	}
	return info, nil
}
