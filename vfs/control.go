package vfs

import (
	"context"
	"io/fs"
	"slices"
	"time"

	"cosafs/materialize"
)

// What .cosafs holds.
const (
	statusName = "status"
	jobsName   = "jobs"
)

// jobFiles are the files of a job's folder, in name order.
var jobFiles = []string{"log", "plan", "progress"}

// controlDir is .cosafs: text for people and scripts.
type controlDir struct{ fs *FS }

var _ Dir = (*controlDir)(nil)

func (d *controlDir) Attr(context.Context) (Attr, error) {
	return dirAttr(controlName, d.fs.current().newest(), long), nil
}

func (d *controlDir) Entries(context.Context) ([]Dirent, error) {
	return []Dirent{dirDirent(join(controlName, jobsName)), textDirent(join(controlName, statusName))}, nil
}

func (d *controlDir) Lookup(_ context.Context, name string) (Node, error) {
	switch name {
	case statusName:
		return &text{
			path:  join(controlName, statusName),
			mtime: d.fs.opts.Now,
			make:  func() ([]byte, error) { return d.fs.lib.Status(), nil },
		}, nil
	case jobsName:
		return &jobsDir{d.fs}, nil
	}
	return nil, pathError("lookup", join(controlName, name), fs.ErrNotExist)
}

// jobsDir is .cosafs/jobs: a folder for each job that is remembered.
type jobsDir struct{ fs *FS }

var _ Dir = (*jobsDir)(nil)

func (d *jobsDir) Attr(context.Context) (Attr, error) {
	return dirAttr(join(controlName, jobsName), d.fs.opts.Now(), never), nil
}

func (d *jobsDir) Entries(context.Context) ([]Dirent, error) {
	var list []Dirent
	for _, j := range d.fs.lib.Jobs() {
		if validName(j.ID) {
			list = append(list, dirDirent(join(controlName, jobsName, j.ID)))
		}
	}
	slices.SortFunc(list, byName)
	return list, nil
}

func (d *jobsDir) Lookup(_ context.Context, name string) (Node, error) {
	j, ok := d.fs.job(name)
	if !ok {
		return nil, pathError("lookup", join(controlName, jobsName, name), fs.ErrNotExist)
	}
	return &jobDir{d.fs, j.ID}, nil
}

// job finds a job that is remembered.
func (f *FS) job(id string) (materialize.JobInfo, bool) {
	jobs := f.lib.Jobs()
	i := slices.IndexFunc(jobs, func(j materialize.JobInfo) bool { return j.ID == id })
	if i < 0 {
		return materialize.JobInfo{}, false
	}
	return jobs[i], true
}

// jobDir is the folder of one job.
type jobDir struct {
	fs *FS
	id string
}

var _ Dir = (*jobDir)(nil)

func (d *jobDir) path() string { return join(controlName, jobsName, d.id) }

func (d *jobDir) Attr(context.Context) (Attr, error) {
	j, ok := d.fs.job(d.id)
	if !ok {
		return Attr{}, pathError("stat", d.path(), fs.ErrNotExist)
	}
	return dirAttr(d.path(), j.Started, never), nil
}

func (d *jobDir) Entries(context.Context) ([]Dirent, error) {
	list := make([]Dirent, len(jobFiles))
	for i, name := range jobFiles {
		list[i] = textDirent(join(d.path(), name))
	}
	return list, nil
}

func (d *jobDir) Lookup(_ context.Context, name string) (Node, error) {
	path := join(d.path(), name)
	j, ok := d.fs.job(d.id)
	if !ok || !slices.Contains(jobFiles, name) {
		return nil, pathError("lookup", path, fs.ErrNotExist)
	}
	return &text{path: path, mtime: d.fs.jobTime(j), make: func() ([]byte, error) { return d.fs.lib.JobFile(d.id, name) }}, nil
}

// jobTime dates a job's files: its end, or now while it runs.
func (f *FS) jobTime(j materialize.JobInfo) func() time.Time {
	if j.Ended.IsZero() {
		return f.opts.Now
	}
	return func() time.Time { return j.Ended }
}
