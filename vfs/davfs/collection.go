package davfs

import (
	"bytes"
	"context"
	"io/fs"
	"net/http"
	"strconv"

	"cosafs/vfs"
)

// read answers GET and HEAD: a file with its bytes, a collection with a listing
// for people.
func (d *Door) read(w http.ResponseWriter, r *http.Request, path string, slash bool) {
	n, at, err := d.tree.Follow(r.Context(), path)
	dir, isDir := n.(vfs.Dir)
	switch {
	case err != nil:
		d.fail(w, r, path, err)
	case isDir && !slash:
		toCollection(w, r, path)
	case isDir:
		d.listing(w, r, path, dir)
	case slash:
		d.fail(w, r, path, &fs.PathError{Op: "open", Path: path, Err: vfs.ErrNotDir})
	default:
		d.get(w, r, at, n)
	}
}

// toCollection sends to the collection's own path, which ends in a slash, so that
// relative links in its page lead below it.
func toCollection(w http.ResponseWriter, r *http.Request, path string) {
	to := href(path, true)
	if q := r.URL.RawQuery; q != "" {
		to += "?" + q
	}
	w.Header().Set("Location", to)
	http.Error(w, to, http.StatusMovedPermanently)
}

// listing shows what is in a collection: to people as a page, or else as lines.
func (d *Door) listing(w http.ResponseWriter, r *http.Request, path string, dir vfs.Dir) {
	if d.cfg.Pages != nil {
		d.cfg.Pages.Directory(w, r, path, dir)
		return
	}
	text, err := lines(r.Context(), dir)
	if err != nil {
		d.fail(w, r, path, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = w.Write(text) // who left does not miss it
}

// lines lists a directory's names, one a line.
func lines(ctx context.Context, dir vfs.Dir) ([]byte, error) {
	entries, err := dir.Entries(ctx)
	var b bytes.Buffer
	for _, e := range entries {
		if validPath(e.Name) {
			b.WriteString(e.Name + "\n")
		}
	}
	return b.Bytes(), err
}
