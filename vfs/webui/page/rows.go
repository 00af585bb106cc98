package page

import (
	"context"
	"slices"
	"strings"
	"time"

	"cosafs/materialize"
	"cosafs/vfs"
)

// A row is one name of a directory.
type row struct {
	Name   string
	URL    string // of the bytes or the directory; of its plan where there are no bytes
	Path   string // of a file, in the tree
	Dir    bool
	Target string // of a link
	Kind   string
	Size   int64 // bytes, -1 unknown
	Time   time.Time
	SHA256 string
	State  materialize.State // "" for what the index does not describe
	Reason string
	Job    *materialize.JobInfo // that is at it, or that failed; nil for none
	Action action
}

// An action is a form with one button.
type action struct {
	Do    string // build, retry or cancel: the last part of the form's address; "" = none
	Label string
	About string // what it is done to, for those who can't see where the button is
	Path  string // of the tree
	Job   string // id
}

// stored says whether the state means that there are bytes to read now.
func stored(state materialize.State) bool {
	switch state {
	case materialize.StateLocal, materialize.StateCached, materialize.StateRemote, materialize.StateView, "":
		return true
	default:
		return false
	}
}

// rows describes what a directory holds, in name order.
func (s *Site) rows(ctx context.Context, path string, children []vfs.Child) ([]row, error) {
	jobs, err := s.cfg.Service.Jobs(ctx)
	if err != nil {
		s.cfg.Logger.WarnContext(ctx, "ask for the jobs", "err", err)
	}
	list := make([]row, 0, len(children))
	for _, c := range children {
		r := row{Name: c.Name, Path: join(path, c.Name), Size: c.Attr.Size, Time: c.Attr.ModTime}
		switch n := c.Node.(type) {
		case vfs.Dir:
			r.Dir, r.Size = true, -1
		case vfs.Symlink:
			r.Size = -1
			err = s.addLink(ctx, &r, n)
		case vfs.Described:
			err = addEntry(ctx, &r, n, jobs)
		}
		if err != nil {
			return nil, err
		}
		if r.URL == "" {
			r.URL = href(r.Path, r.Dir)
		}
		list = append(list, r)
	}
	return list, nil
}

func (s *Site) addLink(ctx context.Context, r *row, l vfs.Symlink) error {
	var err error
	if r.Target, err = l.Readlink(ctx); err != nil {
		return err
	}
	if n, _, err := s.cfg.Tree.Follow(ctx, r.Path); err == nil {
		_, r.Dir = n.(vfs.Dir)
	}
	return nil
}

func addEntry(ctx context.Context, r *row, d vfs.Described, jobs []materialize.JobInfo) error {
	e, err := d.Describe(ctx)
	if err != nil {
		return err
	}
	r.Kind, r.Size, r.SHA256, r.State, r.Reason = e.Kind, e.Size, e.SHA256, e.State, e.Reason
	if stored(e.State) {
		return nil
	}
	r.URL = planURL(r.Path)
	r.Job = jobFor(jobs, materialize.Target{Build: e.Build, Arch: e.Arch, Kind: e.Kind}, e.State)
	r.Action = actionFor(e.State, r.Path, e.Name)
	return nil
}

// jobFor is the newest job for a target that explains its state.
func jobFor(jobs []materialize.JobInfo, t materialize.Target, state materialize.State) *materialize.JobInfo {
	i := slices.IndexFunc(jobs, func(j materialize.JobInfo) bool {
		switch state {
		case materialize.StateBuilding:
			return j.Target == t && j.Active()
		case materialize.StateFailed:
			return j.Target == t && j.State == materialize.JobFailed
		default:
			return false
		}
	})
	if i < 0 {
		return nil
	}
	return &jobs[i]
}

// actionFor is what a person can have done to a file without bytes.
func actionFor(state materialize.State, path, name string) action {
	switch state {
	case materialize.StateBuildable:
		return action{Do: "build", Label: "Build", About: name, Path: path}
	case materialize.StateFailed:
		return action{Do: "retry", Label: "Retry", About: name, Path: path}
	default:
		return action{}
	}
}

// sortRows sorts by name, size or time; directories stay before files.
func sortRows(rows []row, by string, descending bool) {
	slices.SortStableFunc(rows, func(a, b row) int {
		if a.Dir != b.Dir {
			if a.Dir {
				return -1
			}
			return 1
		}
		c := compareRows(a, b, by)
		if descending {
			return -c
		}
		return c
	})
}

func compareRows(a, b row, by string) int {
	switch by {
	case "size":
		return int(min(max(a.Size-b.Size, -1), 1))
	case "time":
		return a.Time.Compare(b.Time)
	default:
		return strings.Compare(a.Name, b.Name)
	}
}
