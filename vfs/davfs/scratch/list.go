package scratch

import (
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"
)

// getDir shows a collection: a page for browsers, lines for others. Its links are
// relative, so the URL has to end in a slash.
func (s *session) getDir(dir *opened) error {
	if !strings.HasSuffix(s.r.URL.Path, "/") {
		s.answer.Header().Set("Location", s.c.href(s.name, true))
		s.answer.WriteHeader(http.StatusMovedPermanently)
		return nil
	}
	entries, err := dir.Readdir(-1)
	if err != nil {
		return err
	}
	h := s.answer.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("Vary", "Accept")
	// Not sandboxed: downloads begin here.
	guard(h, "default-src 'none'; style-src 'unsafe-inline'")
	if strings.Contains(s.r.Header.Get("Accept"), "text/html") {
		h.Set("Content-Type", "text/html; charset=utf-8")
		return listing.Execute(s.direct(), page{s.c.prefix + "/" + strings.TrimPrefix(s.name, top), s.name != top, rows(entries)})
	}
	h.Set("Content-Type", "text/plain; charset=utf-8")
	return s.listText(rows(entries))
}

// A page is what the listing's template shows.
type page struct {
	Path  string
	Below bool // there is a collection above it
	Rows  []row
}

// A row is one entry.
type row struct {
	Name, Link, Size, Time string
}

func rows(entries []fs.FileInfo) []row {
	list := make([]row, len(entries))
	for i, e := range entries {
		r := row{Name: e.Name(), Link: "./" + url.PathEscape(e.Name()), Size: fmt.Sprint(e.Size()), Time: e.ModTime().UTC().Format(time.RFC3339)}
		if e.IsDir() {
			r.Name, r.Link, r.Size = r.Name+"/", r.Link+"/", ""
		}
		list[i] = r
	}
	return list
}

// listText writes the columns time, size, name.
func (s *session) listText(list []row) error {
	w := tabwriter.NewWriter(s.direct(), 0, 0, 2, ' ', 0)
	for _, r := range list {
		if _, err := fmt.Fprintf(w, "%s\t%s\t%s\n", r.Time, r.Size, r.Name); err != nil {
			return err
		}
	}
	return w.Flush()
}

// listing is the page of a collection.
var listing = template.Must(template.New("listing").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{.Path}}</title>
<style>body{font:1rem system-ui;margin:2rem;color-scheme:light dark}td{padding:.1rem 1rem .1rem 0}td:nth-child(2){text-align:right}</style>
</head><body><h1>{{.Path}}</h1><table>
{{if .Below}}<tr><td><a href="../">../</a></td></tr>
{{end}}{{range .Rows}}<tr><td><a href="{{.Link}}">{{.Name}}</a></td><td>{{.Size}}</td><td>{{.Time}}</td></tr>
{{else}}<tr><td>Nothing here yet.</td></tr>
{{end}}</table></body></html>
`))
