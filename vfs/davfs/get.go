package davfs

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"path"
	"strconv"

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
// answers nothing before it does; HEAD only looks. Where the name has come to stand
// for another file meanwhile it is looked up again, once, as the kernel does.
func (d *Door) get(w http.ResponseWriter, r *http.Request, path string, n vfs.Node) {
	err := d.try(w, r, path, n)
	if errors.Is(err, vfs.ErrStale) {
		forget(w.Header())
		if n, path, err = d.tree.Follow(r.Context(), path); err == nil {
			err = d.try(w, r, path, n)
		}
	}
	if err != nil {
		d.fail(w, r, path, err)
	}
}

// try answers, or gives an error while nothing is answered.
func (d *Door) try(w http.ResponseWriter, r *http.Request, path string, n vfs.Node) error {
	f, ok := n.(vfs.File)
	if !ok {
		return vfs.ErrIsDir
	}
	q := &request{door: d, w: w, r: r, path: path, file: f}
	if err := q.look(r.Context()); err != nil {
		return err
	}
	switch {
	case r.Method == http.MethodHead && q.attr.Size < 0:
		return errNotMade // its length is anybody's guess: qemu takes that of its disk from here
	case r.Method == http.MethodHead || q.unneeded(r.Context()):
		q.head()
		return nil
	case q.missing() && uninvited(r) && d.cfg.Pages != nil:
		d.cfg.Pages.Ask(w, r, path)
		return nil
	case q.missing() && uninvited(r):
		return materialize.ErrNotAllowed
	}
	return q.send(r.Context())
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
func (q *request) missing() bool { return q.known && unmade(q.entry.State) }

// unmade says whether there are no bytes in that state.
func unmade(s materialize.State) bool {
	switch s {
	case materialize.StateBuildable, materialize.StateFailed, materialize.StateGone, materialize.StateBuilding:
		return true
	default:
		return false
	}
}

// unneeded says whether a GET is answered without any byte: the client has it (304),
// or wants another version (412) or a range that there is not (416). net/http
// itself decides, as it does when there are bytes.
func (q *request) unneeded(ctx context.Context) bool {
	tag := entityTag(q.attr, q.entry, q.known)
	if tag == "" {
		return false
	}
	rehearsal := &status{header: http.Header{"Etag": {tag}, "Content-Type": {""}}}
	asHead := q.r.WithContext(ctx)
	asHead.Method = http.MethodHead
	http.ServeContent(rehearsal, asHead, "", q.attr.ModTime, &unread{size: q.attr.Size})
	return rehearsal.code >= http.StatusMultipleChoices
}

// status is an answer of which only the status counts.
type status struct {
	header http.Header
	code   int
}

func (s *status) Header() http.Header         { return s.header }
func (s *status) WriteHeader(code int)        { s.code = code }
func (s *status) Write(p []byte) (int, error) { return len(p), nil }

// describe writes what the header says of the file.
func (q *request) describe() {
	h := q.w.Header()
	h.Set("Content-Type", contentType(q.path))
	if q.attr.Generated {
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Length", strconv.FormatInt(q.attr.Size, 10))
		return
	}
	h.Set("Cache-Control", "no-cache") // it may be kept, and is asked for by its tag
	if tag := entityTag(q.attr, q.entry, q.known); tag != "" {
		h.Set("Etag", tag)
	}
	tellDigest(h, q.entry)
	if q.r.URL.Path == "/"+q.path {
		return
	}
	h.Set("Content-Location", href(q.path, false))
	if name := path.Base(q.path); name != path.Base(q.r.URL.Path) {
		h.Set("Content-Disposition", mime.FormatMediaType("inline", map[string]string{"filename": name}))
	}
}

// head answers without opening.
func (q *request) head() {
	q.describe()
	if !q.attr.Generated {
		http.ServeContent(q.w, q.r, "", q.attr.ModTime, &unread{size: q.attr.Size})
	}
}

// send opens, and answers with the bytes.
func (q *request) send(ctx context.Context) error {
	missing := q.missing()
	if missing {
		q.note(ctx, "build asked", nil)
	}
	blob, err := q.door.await(q.w, q.r, q.path, q.file)
	if missing {
		q.note(ctx, "build answered", err)
	}
	if err != nil || blob == nil { // nil is answered
		return err
	}
	defer q.close(blob)
	if err := q.look(ctx); err != nil { // the size and the digest are known by now
		return err
	}
	q.attr.Size = blob.Size()
	q.describe()
	return q.copy(ctx, blob)
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
