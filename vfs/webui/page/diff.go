package page

import (
	"encoding/json"
	"net/http"
	"strings"

	"cosafs/materialize"
	"cosafs/vfs/webui"
)

// A diffPage compares two builds of one architecture.
type diffPage struct {
	Diff      webui.Diff
	A, B      crumb
	Packages  []change // by name
	Counts    counts   // of packages
	Artifacts []change // by kind
	Meta      []change // keys of meta.json
}

type counts struct{ Added, Removed, Changed int }

// add counts one change.
func (c *counts) add(how string) {
	switch how {
	case "added":
		c.Added++
	case "removed":
		c.Removed++
	default:
		c.Changed++
	}
}

// A change is a value before and after; "" for not there.
type change struct{ Name, How, Old, New string }

func (s *Site) diffPage(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	req := webui.DiffRequest{A: q.Get("a"), B: q.Get("b"), Arch: q.Get("arch")}
	if !treePath(req.A) || !treePath(req.B) {
		s.refuse(w, r, http.StatusBadRequest, badForm(errNoBuilds))
		return
	}
	d, err := s.keeper.Diff(r.Context(), req)
	if err != nil {
		s.refuse(w, r, statusOf(err), err)
		return
	}
	p := diffPage{Diff: d, A: side(d.A), B: side(d.B)}
	for _, c := range d.Packages {
		c := newChange(c.Name, c.Old, c.New)
		p.Packages = append(p.Packages, c)
		p.Counts.add(c.How)
	}
	for _, a := range d.Artifacts {
		p.Artifacts = append(p.Artifacts, newChange(a.Kind, artifactText(a.Old), artifactText(a.New)))
	}
	for _, v := range d.Meta {
		p.Meta = append(p.Meta, newChange(v.Key, text(v.Old), text(v.New)))
	}
	s.render(w, r, http.StatusOK, "diff", frame{
		Title: req.A + " → " + req.B, Section: "builds", Trail: append(trail(join(d.B.Build, d.B.Arch)), crumb{Name: "Differences"}), Main: p,
	})
}

// side leads to one of the two builds.
func side(f webui.Found) crumb { return crumb{f.Build, href(join(f.Build, f.Arch), true)} }

func newChange(name, before, after string) change {
	c := change{Name: name, How: "changed", Old: before, New: after}
	switch {
	case before == "":
		c.How = "added"
	case after == "":
		c.How = "removed"
	}
	return c
}

// text gives a value of meta.json as it stands there, shortened.
func text(v json.RawMessage) string {
	const shown = 400
	if len(v) <= shown {
		return string(v)
	}
	return strings.ToValidUTF8(string(v[:shown]), "") + " …"
}

// artifactText describes an artifact for a comparison.
func artifactText(a *materialize.Artifact) string {
	if a == nil {
		return ""
	}
	text := human(a.Size)
	if a.SHA256 != "" {
		text += ", sha256 " + short(a.SHA256)
	}
	return text
}
