package davfs

import (
	"context"
	"errors"
	"net/http"
	"path"
	"strings"
	"time"

	"cosafs/materialize"
	"cosafs/vfs"
	"cosafs/vfs/access"
)

// A request is a GET or HEAD of a file, with what is known of the file.
type request struct {
	door *Door
	w    http.ResponseWriter
	r    *http.Request
	path string // without links
	file vfs.File

	attr  vfs.Attr
	entry vfs.Entry // the index's; none of a generated file
	known bool      // whether there is one
}

// get answers GET and HEAD of a file. GET makes what does not exist yet, and
// answers nothing before it does; HEAD only looks.
func (d *Door) get(w http.ResponseWriter, r *http.Request, path string, n vfs.Node) {
	f, ok := n.(vfs.File)
	if !ok {
		d.fail(w, r, path, vfs.ErrIsDir)
		return
	}
	q := &request{door: d, w: w, r: r, path: path, file: f}
	if err := q.look(r.Context()); err != nil {
		d.fail(w, r, path, err)
		return
	}
	switch {
	case r.Method == http.MethodHead && q.attr.Size < 0:
		// Its length is anybody's guess: qemu takes that of its disk from here.
		d.fail(w, r, path, errNotMade)
	case r.Method == http.MethodHead || q.unneeded():
		q.head()
	case q.missing() && uninvited(r) && d.cfg.Pages != nil:
		d.cfg.Pages.Ask(w, r, path)
	case q.missing() && uninvited(r):
		d.fail(w, r, path, materialize.ErrNotAllowed)
	default:
		q.send(r.Context())
	}
}

// errNotMade says why a look alone can't be answered.
var errNotMade = materialize.Says(context.DeadlineExceeded, "its size is not known before it is made: GET makes it")

// look takes down what is known of the file now.
func (q *request) look(ctx context.Context) (err error) {
	if described, ok := q.file.(vfs.Described); ok {
		if q.entry, err = described.Describe(ctx); err != nil {
			return err
		}
		q.known = true
	}
	q.attr, err = q.file.Attr(ctx)
	return err
}

// missing says whether a GET makes something.
func (q *request) missing() bool {
	switch q.entry.State {
	case materialize.StateBuildable, materialize.StateFailed, materialize.StateGone, materialize.StateBuilding:
		return q.known
	default:
		return false
	}
}

// tag is the entity tag of the bytes, "" for none.
func (q *request) tag() string { return entityTag(q.attr, q.entry, q.known) }

// unneeded says whether the conditions of a GET are answered without any byte
// (RFC 9110, 13.2.2): the client has it, or wants another version.
func (q *request) unneeded() bool {
	tag, h := q.tag(), q.r.Header
	if tag == "" {
		return false
	}
	if match := h.Get("If-Match"); match != "" {
		return match != "*" && !strings.Contains(match, tag)
	}
	if none := h.Get("If-None-Match"); none != "" {
		return none == "*" || strings.Contains(none, tag)
	}
	since, err := http.ParseTime(h.Get("If-Modified-Since"))
	return err == nil && !q.attr.ModTime.Truncate(time.Second).After(since)
}

// describe writes what the header says of the file.
func (q *request) describe() {
	h := q.w.Header()
	h.Set("Content-Type", contentType(q.path))
	if q.attr.Generated {
		h.Set("Cache-Control", "no-store")
		q.r.Header.Del("Range") // of another text than the one that comes now
		return
	}
	h.Set("Cache-Control", "no-cache") // it may be kept, and is asked for by its tag
	h.Set("Etag", q.tag())
	tellDigest(h, q.entry)
	if q.r.URL.Path != "/"+q.path {
		h.Set("Content-Location", href(q.path, false))
		h.Set("Content-Disposition", "inline; filename*=UTF-8''"+string(appendEscaped(nil, path.Base(q.path))))
	}
}

// modified is the date of the bytes; a generated text has none to go by.
func (q *request) modified() time.Time {
	if q.attr.Generated {
		return time.Time{}
	}
	return q.attr.ModTime
}

// head answers without opening.
func (q *request) head() {
	q.describe()
	http.ServeContent(q.w, q.r, "", q.modified(), &unread{size: q.attr.Size})
}

// send opens and answers with the bytes.
func (q *request) send(ctx context.Context) {
	missing := q.missing()
	if missing {
		q.note(ctx, "build asked", nil)
	}
	blob, err := q.door.await(q.w, q.r, q.path, q.file)
	if missing {
		q.note(ctx, "build answered", err)
	}
	if err != nil {
		q.door.fail(q.w, q.r, q.path, err)
		return
	}
	if blob == nil {
		return // answered
	}
	defer q.close(blob)
	if err := q.look(ctx); err != nil { // the size and the digest are known by now
		q.door.fail(q.w, q.r, q.path, err)
		return
	}
	q.attr.Size = blob.Size()
	q.describe()
	q.copy(blob)
}

// note writes down who had something made.
func (q *request) note(ctx context.Context, what string, err error) {
	c := access.Of(ctx)
	args := []any{"caller", c.Name, "addr", c.Addr, "path", q.path, "state", q.entry.State}
	if err != nil {
		args = append(args, "err", err)
	}
	q.door.log.Info(what, args...)
}

func (q *request) close(b vfs.Blob) {
	if err := b.Close(); err != nil && !errors.Is(err, context.Canceled) {
		q.door.log.Warn("close", "path", q.path, "err", err)
	}
}
