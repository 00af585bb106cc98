package page

import (
	"net/http"

	"cosafs/materialize"
	"cosafs/vfs/access"
	"cosafs/vfs/webui"
)

// maxForm bounds a form in bytes: a path and a job id.
const maxForm = 64 << 10

// mayBuild says whether the request's caller may start work.
func mayBuild(r *http.Request) bool { return access.Of(r.Context()).Role >= access.Builder }

// form reads the form of a caller who may start work; otherwise it has answered.
func (s *Site) form(w http.ResponseWriter, r *http.Request) (path, job string, ok bool) {
	if !mayBuild(r) {
		s.refuse(w, r, http.StatusForbidden, errReader)
		return "", "", false
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.refuse(w, r, http.StatusBadRequest, badForm(err))
		return "", "", false
	}
	path, job = r.PostForm.Get("path"), r.PostForm.Get("job")
	if path != "" && !treePath(path) || path == "" && job == "" {
		s.refuse(w, r, http.StatusBadRequest, badForm(errNoPath))
		return "", "", false
	}
	return path, job, true
}

// build starts to make a path's bytes and goes to the job's page.
func (s *Site) build(w http.ResponseWriter, r *http.Request) {
	if path, _, ok := s.form(w, r); ok {
		s.start(w, r, path)
	}
}

// retry forgets a failure and starts again.
func (s *Site) retry(w http.ResponseWriter, r *http.Request) {
	path, job, ok := s.form(w, r)
	if !ok {
		return
	}
	what := path
	if job != "" {
		what = job
	}
	if err := s.cfg.Service.Retry(r.Context(), what); err != nil {
		s.Failed(w, r, path, statusOf(err), err)
		return
	}
	if path == "" {
		http.Redirect(w, r, Prefix+"jobs/", http.StatusSeeOther)
		return
	}
	s.start(w, r, path)
}

// start begins to make a path's bytes. There is nothing to watch where they exist
// already.
func (s *Site) start(w http.ResponseWriter, r *http.Request, path string) {
	if path == "" {
		s.refuse(w, r, http.StatusBadRequest, badForm(errNoPath))
		return
	}
	job, err := webui.Start(r.Context(), s.cfg.Service, path)
	switch {
	case err != nil:
		s.Failed(w, r, path, startStatus(err), err)
	case job == "":
		http.Redirect(w, r, href(path, false), http.StatusSeeOther)
	default:
		http.Redirect(w, r, watchURL(job, path), http.StatusSeeOther)
	}
}

// startStatus is the status of work that can't be begun: 424 where an earlier
// failure is why, as for an open.
func startStatus(err error) int {
	status := statusOf(err)
	if class, _ := materialize.ClassOf(err); status == http.StatusInternalServerError && class != materialize.ClassInternal {
		return http.StatusFailedDependency
	}
	return status
}

// cancel ends a job for everybody and shows what became of it.
func (s *Site) cancel(w http.ResponseWriter, r *http.Request) {
	_, job, ok := s.form(w, r)
	if !ok {
		return
	}
	if err := s.cfg.Service.Cancel(r.Context(), job); err != nil {
		s.refuse(w, r, statusOf(err), err)
		return
	}
	http.Redirect(w, r, jobURL(job), http.StatusSeeOther)
}
