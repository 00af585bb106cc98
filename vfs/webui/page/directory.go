package page

import (
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"strings"

	"cosafs/vfs"
)

// Directory shows a directory of the tree, by Accept as JSON or as a page. path
// has no slashes at its ends; "" is the top.
func (s *Site) Directory(w http.ResponseWriter, r *http.Request, path string, d vfs.Dir) {
	switch {
	case wantsJSON(r.Header.Get("Accept")):
		s.directoryJSON(w, r, path, d)
	case path == "":
		s.buildsPage(w, r)
	case strings.Count(path, "/") == 1 && !strings.HasPrefix(path, "."):
		s.buildPage(w, r, path, d)
	default:
		s.directoryPage(w, r, path, d)
	}
}

// A directoryPage lists a directory that is no build's.
type directoryPage struct {
	Path        string
	Columns     []column
	Rows        []row
	Dirs, Files int
	Bytes       int64
	Connect     connect
}

func (s *Site) directoryPage(w http.ResponseWriter, r *http.Request, path string, d vfs.Dir) {
	children, err := vfs.AllChildren(r.Context(), d)
	if err != nil {
		s.refuse(w, r, statusOf(err), err)
		return
	}
	rows, err := s.rows(r.Context(), path, children)
	if err != nil {
		s.refuse(w, r, statusOf(err), err)
		return
	}
	q := r.URL.Query()
	by, descending := q.Get("sort"), q.Get("order") == "desc"
	sortRows(rows, by, descending)
	p := directoryPage{Path: path, Columns: dirColumns(path, by, descending), Rows: rows, Connect: s.connect(r, path)}
	for _, row := range rows {
		if row.Dir {
			p.Dirs++
		} else {
			p.Files++
		}
		p.Bytes += max(row.Size, 0)
	}
	s.render(w, r, http.StatusOK, "directory", frame{Title: path, Trail: trail(path), Main: p})
}

// dirColumns are the headings of a directory that sort.
func dirColumns(path, by string, descending bool) []column {
	if by == "" {
		by = "name"
	}
	var list []column
	for _, c := range []struct{ name, sort string }{{"Name", "name"}, {"Size", "size"}, {"Modified", "time"}} {
		col, order := column{Name: c.name, Sorted: "none"}, "asc"
		switch {
		case by == c.sort && descending:
			col.Sorted = "descending"
		case by == c.sort:
			col.Sorted, order = "ascending", "desc"
		}
		col.URL = href(path, true) + "?" + url.Values{"sort": {c.sort}, "order": {order}}.Encode()
		list = append(list, col)
	}
	return list
}

// statusOf is the status of a page that can't be shown.
func statusOf(err error) int {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return http.StatusNotFound
	case errors.Is(err, fs.ErrInvalid):
		return http.StatusBadRequest
	case errors.Is(err, fs.ErrPermission):
		return http.StatusForbidden
	case errors.Is(err, errors.ErrUnsupported):
		return http.StatusNotImplemented
	default:
		return http.StatusInternalServerError
	}
}
