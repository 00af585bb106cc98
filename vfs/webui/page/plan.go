package page

import (
	"net/http"

	"cosafs/materialize"
)

// A planPage says what opening a path would do now, and why.
type planPage struct {
	Path   string
	URL    string // of the bytes, "" where there are none yet
	Plan   materialize.Plan
	Action action
}

func (s *Site) planPage(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Query().Get("path")
	if !treePath(path) {
		s.refuse(w, r, http.StatusBadRequest, badForm(errNoPath))
		return
	}
	plan, err := s.cfg.Service.Plan(r.Context(), path)
	if err != nil {
		s.Failed(w, r, path, statusOf(err), err)
		return
	}
	p := planPage{Path: path, Plan: plan, Action: actionFor(plan.State, path, path)}
	if stored(plan.State) {
		p.URL = href(path, false)
	}
	s.render(w, r, http.StatusOK, "plan", frame{Title: "Plan of " + path, Section: "builds", Trail: fileTrail(path), Main: p})
}
