package page

import (
	"context"
	"net/http"
	"strings"

	"cosafs/materialize"
	"cosafs/vfs"
	"cosafs/vfs/webui"
)

// A buildPage is one build for one architecture.
type buildPage struct {
	Info         webui.BuildInfo
	Next         bool // the build that the configuration would give now: nothing is recorded
	Latest       bool
	Arches       []crumb
	Newer, Older crumb  // the same architecture of the builds beside it; no Name where there is none
	Diff         string // address of the differences to the older one
	Groups       []group
	Bytes        int64 // of what is recorded
	Problem      error // why the description lacks
	Connect      connect
}

// A group is the rows of the table that belong together.
type group struct {
	Title string
	Note  string
	Rows  []row
}

// buildPage shows a directory of artifacts.
func (s *Site) buildPage(w http.ResponseWriter, r *http.Request, path string, d vfs.Dir) {
	ctx := r.Context()
	// The addresses on the page go on to mean this build when latest has moved on.
	if _, real, err := s.cfg.Tree.Follow(ctx, path); err == nil {
		path = real
	}
	children, err := vfs.AllChildren(ctx, d)
	if err != nil {
		s.refuse(w, r, statusOf(err), err)
		return
	}
	rows, err := s.rows(ctx, path, children)
	if err != nil {
		s.refuse(w, r, statusOf(err), err)
		return
	}
	id, arch, _ := strings.Cut(path, "/")
	p := buildPage{Next: id == materialize.Next, Groups: groups(rows), Connect: s.connect(r, path)}
	p.Connect.Example, p.Connect.Disk = examples(rows)
	for _, row := range rows {
		p.Bytes += max(row.Size, 0)
	}
	if p.Next {
		p.Info = webui.BuildInfo{BuildRef: materialize.BuildRef{ID: id}, Arch: arch}
		p.Arches = s.nextArches(ctx)
	} else {
		s.describe(ctx, &p, id, arch)
	}
	s.render(w, r, http.StatusOK, "build", frame{Title: id + " " + arch, Section: "builds", Trail: trail(path), Main: p})
}

// describe adds what is known of a build besides its files. What can't be asked is
// only missing: the files are there all the same.
func (s *Site) describe(ctx context.Context, p *buildPage, id, arch string) {
	p.Info, p.Problem = s.cfg.Service.Show(ctx, id, arch)
	p.Info.ID, p.Info.Arch = id, arch
	for _, a := range p.Info.Arches {
		p.Arches = append(p.Arches, crumb{a, href(join(id, a), true)})
	}
	p.Latest = s.latest(ctx) == id
	list, err := s.list(ctx)
	if err != nil {
		s.cfg.Logger.WarnContext(ctx, "list builds", "err", err)
		return
	}
	newer, older := list.neighbours(id)
	p.Newer, p.Older = s.beside(ctx, newer, arch), s.beside(ctx, older, arch)
	if s.keeper != nil && p.Older.Name != "" {
		p.Diff = question("diff", "a", older, "b", id, "arch", arch)
	}
}

// beside leads to another build's directory of the architecture, if it has one.
func (s *Site) beside(ctx context.Context, id, arch string) crumb {
	if id == "" {
		return crumb{}
	}
	path := join(id, arch)
	if _, err := s.cfg.Tree.Walk(ctx, path); err != nil {
		return crumb{}
	}
	return crumb{id, href(path, true)}
}

func (s *Site) nextArches(ctx context.Context) []crumb {
	n, err := s.cfg.Tree.Walk(ctx, materialize.Next)
	if err != nil {
		return nil
	}
	d, ok := n.(vfs.Dir)
	if !ok {
		return nil
	}
	list := subdirs(ctx, d, materialize.Next)
	for i := range list {
		list[i].Name = strings.TrimPrefix(list[i].Name, materialize.Next+"/")
	}
	return list
}

// groups parts a build's files into those that exist, those that could, and the rest.
func groups(rows []row) []group {
	artifacts := group{Title: "Artifacts"}
	could := group{Title: "Not built yet", Note: "programs don't see these in listings; opening one builds it"}
	others := group{Title: "Metadata"}
	for _, r := range rows {
		switch {
		case r.Kind == "":
			others.Rows = append(others.Rows, r)
		case r.Action.Do != "" || r.State == materialize.StateBuilding:
			could.Rows = append(could.Rows, r)
		default:
			artifacts.Rows = append(artifacts.Rows, r)
		}
	}
	var list []group
	for _, g := range []group{artifacts, could, others} {
		if len(g.Rows) > 0 {
			list = append(list, g)
		}
	}
	return list
}
