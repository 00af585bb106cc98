package page_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"cosafs/materialize"
	"cosafs/vfs/webui"
)

// service is a webui.Service and Keeper of fixed facts that remembers what it is asked to do.
type service struct {
	webui.Service // what pages have no use for: a call of it panics

	status webui.Status
	builds []webui.BuildInfo
	plans  map[string]materialize.Plan // by path
	jobs   []materialize.JobInfo
	log    string
	diff   webui.Diff
	found  []webui.Found
	fail   error // of Builds, Materialise and Retry

	mu     sync.Mutex // guards all below
	did    []string
	listed int // calls of Builds
}

var _ webui.Keeper = (*service)(nil)

func (s *service) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.did = append(s.did, fmt.Sprintf(format, args...))
}

func (s *service) done() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.did, "; ")
}

func (s *service) Status(context.Context) (webui.Status, error) { return s.status, nil }

func (s *service) Builds(context.Context) ([]webui.BuildInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listed++
	return s.builds, s.fail
}

func (s *service) Show(_ context.Context, id, arch string) (webui.BuildInfo, error) {
	i := slices.IndexFunc(s.builds, func(b webui.BuildInfo) bool { return b.ID == id })
	if i < 0 {
		return webui.BuildInfo{}, fs.ErrNotExist
	}
	b := s.builds[i]
	b.Arch = arch
	return b, nil
}

func (s *service) Plan(_ context.Context, path string) (materialize.Plan, error) {
	p, ok := s.plans[path]
	if !ok {
		return p, fmt.Errorf("plan %s: %w", path, fs.ErrNotExist)
	}
	return p, nil
}

func (s *service) Materialise(_ context.Context, path string, tell func(materialize.Event)) (materialize.Result, error) {
	s.note("materialise %s", path)
	if s.fail != nil {
		return materialize.Result{}, s.fail
	}
	if tell != nil && s.plans[path].Job != "" {
		tell(materialize.Event{Job: s.plans[path].Job})
	}
	return materialize.Result{}, nil
}

func (s *service) Jobs(context.Context) ([]materialize.JobInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.jobs), nil
}

// change changes the newest job.
func (s *service) change(how func(*materialize.JobInfo)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	how(&s.jobs[0])
}

func (s *service) Log(_ context.Context, _ string, _ bool, w io.Writer) error {
	_, err := io.WriteString(w, s.log)
	return err
}

func (s *service) Cancel(_ context.Context, job string) error {
	s.note("cancel %s", job)
	return nil
}

func (s *service) Retry(_ context.Context, what string) error {
	s.note("retry %s", what)
	return s.fail
}

func (s *service) Find(_ context.Context, req webui.FindRequest, _ func(materialize.Event)) ([]webui.Found, error) {
	s.note("find %s", req.Package)
	return s.found, nil
}

func (s *service) Diff(_ context.Context, req webui.DiffRequest) (webui.Diff, error) {
	s.note("diff %s %s %s", req.A, req.B, req.Arch)
	return s.diff, nil
}

func (s *service) Sync(context.Context, func(materialize.Event)) error { return nil }
func (s *service) Pin(context.Context, string, bool) error             { return nil }
