package page

import (
	"bytes"
	"context"
	"net/http"

	"cosafs/materialize"
	"cosafs/vfs"
	"cosafs/vfs/webui"
)

// How often a page is loaded anew where no script runs, in seconds.
const (
	jobRefresh  = 5
	listRefresh = 15
)

// shownLog and shownPlan are how much of a job's log and plan its page has, in bytes.
const (
	shownLog  = 64 << 10
	shownPlan = 32 << 10
)

// A jobsPage is the list of jobs.
type jobsPage struct {
	Active, Ended []jobRow
	Problem       error
}

// A jobRow is one job of the list.
type jobRow struct {
	materialize.JobInfo
	Path   string // where what it makes is found, "" for nowhere
	Cancel action // none for jobs that have ended
}

func (s *Site) jobsPage(w http.ResponseWriter, r *http.Request) {
	jobs, err := s.cfg.Service.Jobs(r.Context())
	p := jobsPage{Problem: err}
	for _, j := range jobs {
		row := jobRow{JobInfo: j, Path: targetPath(j.Target)}
		if j.Active() {
			row.Cancel = action{Do: "cancel", Label: "Cancel", About: "job " + j.ID, Job: j.ID}
			p.Active = append(p.Active, row)
		} else {
			p.Ended = append(p.Ended, row)
		}
	}
	f := frame{Title: "Jobs", Section: "jobs", Trail: trail(""), Main: p}
	if len(p.Active) > 0 {
		f.Again = listRefresh
	}
	s.render(w, r, http.StatusOK, "jobs", f)
}

// A jobPage is one job.
type jobPage struct {
	Job      materialize.JobInfo
	Path     string // of what it makes, in the tree; "" if it has none
	Download string // address of what it made; "" while there is nothing
	Start    bool   // the download starts by itself
	Cut      bool   // the log has more than is shown
	Log      string
	Plan     string
	Actions  []action
}

func (s *Site) jobPage(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	j, err := webui.FindJob(ctx, s.cfg.Service, r.PathValue("id"))
	if err != nil {
		s.refuse(w, r, statusOf(err), err)
		return
	}
	p := jobPage{Job: j, Path: targetPath(j.Target), Start: r.URL.Query().Get("download") == "1"}
	if path := r.URL.Query().Get("path"); treePath(path) {
		p.Path = path
	}
	p.Log, p.Cut = s.tail(ctx, j.ID)
	p.Plan = s.planText(ctx, j.ID)
	f := frame{Title: "Job " + j.ID, Section: "jobs", Trail: append(trail(""), crumb{"Jobs", Prefix + "jobs/"})}
	switch {
	case j.Active():
		f.Again = jobRefresh
		p.Actions = []action{{Do: "cancel", Label: "Cancel", About: "job " + j.ID, Job: j.ID}}
	case j.State == materialize.JobDone && p.Path != "":
		p.Download = href(p.Path, false)
		if p.Start {
			f.Again, f.Next = 1, p.Download
		}
	case j.State != materialize.JobDone:
		p.Actions = []action{{Do: "retry", Label: "Retry", About: "job " + j.ID, Job: j.ID, Path: p.Path}}
	}
	f.Main = p
	s.render(w, r, http.StatusOK, "job", f)
}

// tail gives the end of a job's log, and whether there is more before it.
func (s *Site) tail(ctx context.Context, id string) (text string, cut bool) {
	t := tail{max: shownLog}
	if err := s.cfg.Service.Log(ctx, id, false, &t); err != nil {
		s.cfg.Logger.WarnContext(ctx, "read log", "job", id, "err", err)
		return "the log can't be read: " + err.Error(), false
	}
	return t.text(), t.cut
}

// planText gives what a job was going to do, "" if it says nothing.
func (s *Site) planText(ctx context.Context, id string) string {
	n, err := s.cfg.Tree.Walk(ctx, ".cosafs/jobs/"+id+"/plan")
	f, ok := n.(vfs.File)
	if err != nil || !ok {
		return ""
	}
	b, err := f.Open(ctx)
	if err != nil {
		return ""
	}
	defer func() { _ = b.Close() }() // it was only read
	buf := make([]byte, min(b.Size(), shownPlan))
	read, _ := b.ReadAt(ctx, buf, 0) // what can be read is all there is to show
	return string(bytes.ToValidUTF8(buf[:read], []byte("\uFFFD")))
}
