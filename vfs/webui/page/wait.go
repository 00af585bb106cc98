package page

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"cosafs/materialize"
	"cosafs/vfs/webui"
)

// waitRefresh is how often a browser asks again for bytes that are being made, in
// seconds, where no script follows the job.
const waitRefresh = 5

// A waitingPage is shown for bytes that are being made.
type waitingPage struct {
	Path  string
	URL   string
	Plan  materialize.Plan
	Job   *materialize.JobInfo // nil before it has begun
	Watch string               // the job's page
	Log   string               // the end of what the job said
}

// Waiting says that the path's bytes are being made; the browser asks again by
// itself, and the download starts when they are there.
func (s *Site) Waiting(w http.ResponseWriter, r *http.Request, path string) {
	p := waitingPage{Path: path, URL: href(path, false)}
	plan, err := s.cfg.Service.Plan(r.Context(), path)
	if err != nil {
		s.cfg.Logger.WarnContext(r.Context(), "plan", "path", path, "err", err)
	}
	p.Plan = plan
	if plan.Job != "" {
		s.fillJob(r.Context(), &p, plan.Job)
	}
	w.Header().Set("Retry-After", strconv.Itoa(waitRefresh))
	s.render(w, r, http.StatusServiceUnavailable, "waiting", frame{
		Title: "Building " + path, Section: "builds", Trail: fileTrail(path), Again: waitRefresh, Main: p,
	})
}

// fillJob adds the job that is at it, if it is remembered.
func (s *Site) fillJob(ctx context.Context, p *waitingPage, id string) {
	j, err := webui.FindJob(ctx, s.cfg.Service, id)
	if err != nil {
		return
	}
	p.Job, p.Watch = &j, watchURL(j.ID, p.Path)
	p.Log, _ = s.tail(ctx, j.ID)
}

// An askPage is shown for bytes that have to be made when a click is to decide.
type askPage struct {
	Path   string
	Plan   materialize.Plan
	Action action
}

// Ask offers to build the path, for requests that must not do so by themselves:
// those that another site sent the browser to, and those of readers.
func (s *Site) Ask(w http.ResponseWriter, r *http.Request, path string) {
	plan, err := s.cfg.Service.Plan(r.Context(), path)
	if err != nil {
		s.Failed(w, r, path, statusOf(err), err)
		return
	}
	status := http.StatusOK
	if !mayBuild(r) {
		status = http.StatusForbidden
	}
	s.render(w, r, status, "ask", frame{
		Title: "Build " + path + "?", Section: "builds", Trail: fileTrail(path),
		Main: askPage{Path: path, Plan: plan, Action: action{Do: "build", Label: "Build and download", About: path, Path: path}},
	})
}

// A failedPage says what went wrong, and what to do next.
type failedPage struct {
	Status int
	Path   string // of the tree, "" where the request was for none
	Reason string
	Class  materialize.Class // "" for what is no failure of work
	Hint   string
	Job    string // id, "" for none
	Retry  action
}

// Failed says why the path can't be had.
func (s *Site) Failed(w http.ResponseWriter, r *http.Request, path string, status int, err error) {
	p := failedPage{Status: status, Path: path, Reason: err.Error()}
	if f, ok := errors.AsType[*materialize.Failure](err); ok {
		p.Class, p.Hint = f.Class, f.Hint
	}
	if e, ok := errors.AsType[*materialize.JobError](err); ok {
		p.Job = e.Job
	}
	// What a job or its surroundings caused may be over; what the request asks for won't change.
	if path != "" && (p.Job != "" || status >= http.StatusInternalServerError || status == http.StatusFailedDependency) {
		p.Retry = action{Do: "retry", Label: "Retry", About: path, Path: path}
	}
	title := http.StatusText(status)
	if p.Job != "" || status == http.StatusFailedDependency {
		title = "It could not be built"
	}
	s.render(w, r, status, "failed", frame{Title: title, Section: "", Trail: fileTrail(path), Main: p})
}

// refuse is Failed for pages that are not about a path.
func (s *Site) refuse(w http.ResponseWriter, r *http.Request, status int, err error) {
	s.Failed(w, r, "", status, err)
}

// fileTrail is the way to a file, without a link to its bytes.
func fileTrail(path string) []crumb {
	list := trail(path)
	if path != "" {
		list[len(list)-1].URL = ""
	}
	return list
}
