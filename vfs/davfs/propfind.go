package davfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"

	"cosafs/vfs"
)

// propfind answers PROPFIND of a path: from attributes alone, without opening
// anything. Nothing is sent before the directory is listed, so that an error is a
// status and not half an answer.
func (d *Door) propfind(w http.ResponseWriter, r *http.Request, path string, slash bool) {
	deep, err := depth(r.Header.Values("Depth"))
	if err != nil {
		refuseDepth(w, err)
		return
	}
	wanted, err := readWish(w, r)
	if err != nil {
		refuseBody(w, err)
		return
	}
	self, n, err := d.find(r.Context(), path, wanted.facts())
	if err == nil && slash && !self.collection() {
		err = &fs.PathError{Op: "propfind", Path: path, Err: vfs.ErrNotDir}
	}
	var children []vfs.Child
	if dir, ok := n.(vfs.Dir); ok && err == nil && deep {
		children, err = vfs.Children(r.Context(), dir)
	}
	if err != nil {
		d.fail(w, r, path, err)
		return
	}
	if self.collection() {
		w.Header().Set("Content-Location", href(path, true))
	}
	out, closeOut := d.multistatusBody(w, r, len(children))
	m := newMultistatus(out, wanted)
	m.add(&self)
	d.addChildren(r.Context(), m, path, children, deep)
	if err := errors.Join(m.close(), closeOut()); err != nil {
		d.log.Debug("the client left a listing", "op", "propfind", "path", path, "err", err)
	}
}

// errInfinite answers a PROPFIND of everything below a path.
var errInfinite = errors.New("depth 0 or 1 is needed")

// depth reads the Depth header. None is infinity (RFC 4918 9.1), which is refused:
// to answer with less than was asked for looks like deletions to those who sync.
func depth(values []string) (deep bool, err error) {
	switch value := strings.ToLower(strings.Join(values, ",")); value {
	case "0":
		return false, nil
	case "1":
		return true, nil
	case "", "infinity":
		return false, errInfinite
	default:
		return false, fmt.Errorf("depth %q: %w", value, fs.ErrInvalid)
	}
}

func refuseDepth(w http.ResponseWriter, err error) {
	if !errors.Is(err, errInfinite) {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", contentTypeXML)
	w.WriteHeader(http.StatusForbidden)
	_, _ = io.WriteString(w, finiteDepth) // who left does not miss it
}

const (
	contentTypeXML = "text/xml; charset=utf-8"
	finiteDepth    = `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<D:error xmlns:D="DAV:"><D:propfind-finite-depth/></D:error>` + "\n"
)

// readWish reads the body whatever type it is said to have: rclone says none.
func readWish(w http.ResponseWriter, r *http.Request) (wish, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return wish{}, err
	}
	return parseWish(body)
}

func refuseBody(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		status = http.StatusRequestEntityTooLarge
	}
	http.Error(w, err.Error(), status)
}

// addChildren tells of everything that is listed below path. A file whose size
// nobody knows is left out: clients would take it for an empty one. Its name
// still answers when it is asked for.
func (d *Door) addChildren(ctx context.Context, m *multistatus, path string, children []vfs.Child, deep bool) {
	facts := m.wish.facts()
	top := path == ""
	for i := range children {
		if m.err != nil {
			return // nobody listens
		}
		c := &children[i]
		if !validPath(c.Name) || top && c.Name == d.cfg.Scratch {
			continue
		}
		below := c.Name
		if !top {
			below = path + "/" + c.Name
		}
		res, _, err := d.describe(ctx, below, c.Node, c.Attr, facts)
		switch {
		case errors.Is(err, fs.ErrNotExist): // it went meanwhile, or a link leads nowhere
		case err != nil:
			d.log.Warn("left out of a listing", "op", "propfind", "path", below, "err", err)
			m.addFailed(below, http.StatusInternalServerError)
		case res.collection() || res.attr.Size >= 0:
			m.add(&res)
		}
	}
	if top && deep && d.cfg.Scratch != "" {
		m.add(&resource{path: d.cfg.Scratch, name: d.cfg.Scratch, attr: vfs.Attr{Mode: fs.ModeDir | 0o755}})
	}
}
