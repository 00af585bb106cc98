package page

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strconv"
	"strings"

	"cosafs/vfs/access"
)

//go:embed templates
var templateFiles embed.FS

// policy lets a page load what this site embeds and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Policy is the Content-Security-Policy that all answers carry.
func (s *Site) Policy() string { return policy }

// secure sets the headers that every answer carries. The referrer stays within
// the site and is not dropped altogether: browsers then call the origin of a form
// "null", and over plain http the origin is all that tells our own forms.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
}

// A frame is what surrounds every page.
type frame struct {
	Title   string
	Section string // part of the navigation that the page belongs to
	Trail   []crumb
	Caller  access.Caller
	Builder bool // the caller may start work
	Keeper  bool
	Version string
	Login   string // where the caller may log in, "" if he has, or can't
	// Again loads the page anew after so many seconds where no script runs; 0 never.
	Again int
	// Next is where it goes then instead; "" is the page itself.
	Next string
	Main any
}

// A button is a form with one button, and whether the caller may press it.
type button struct {
	Action  action
	Builder bool
}

// With gives a button for the page's caller.
func (f frame) With(a action) button { return button{a, f.Builder} }

// A crumb is a step of the way from the top to a page.
type crumb struct{ Name, URL string }

// parsePages gives each page's template, with the frame around it.
func parsePages(funcs template.FuncMap) (map[string]*template.Template, error) {
	frame, err := template.New("frame.html").Funcs(funcs).ParseFS(templateFiles, "templates/frame.html", "templates/parts.html")
	if err != nil {
		return nil, fmt.Errorf("parse templates: %w", err)
	}
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		return nil, fmt.Errorf("list templates: %w", err)
	}
	pages := map[string]*template.Template{}
	for _, f := range files {
		if f.Name() == "frame.html" || f.Name() == "parts.html" {
			continue
		}
		page, err := template.Must(frame.Clone()).ParseFS(templateFiles, "templates/"+f.Name())
		if err != nil {
			return nil, fmt.Errorf("parse templates: %w", err)
		}
		pages[strings.TrimSuffix(f.Name(), path.Ext(f.Name()))] = page
	}
	return pages, nil
}

// render writes a page. It is made whole before its first byte is sent, so that
// nobody sees half of one.
func (s *Site) render(w http.ResponseWriter, r *http.Request, status int, page string, f frame) {
	f.Caller = access.Of(r.Context())
	if f.Caller.Name == "" {
		f.Login = s.cfg.Login
	}
	f.Builder = mayBuild(r)
	f.Keeper, f.Version = s.keeper != nil, s.cfg.Version
	var buf bytes.Buffer
	if err := s.pages[page].Execute(&buf, f); err != nil {
		s.cfg.Logger.ErrorContext(r.Context(), "render page", "page", page, "path", r.URL.Path, "err", err)
		http.Error(w, "the page could not be rendered", http.StatusInternalServerError)
		return
	}
	s.send(w, status, "text/html; charset=utf-8", buf.Bytes())
}

// send answers with a body that depends on who asks and on what is true now.
func (s *Site) send(w http.ResponseWriter, status int, typ string, body []byte) {
	h := w.Header()
	secure(h)
	h.Set("Content-Type", typ)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "private, no-cache")
	h.Add("Vary", "Accept, Authorization")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone wants no page
}
