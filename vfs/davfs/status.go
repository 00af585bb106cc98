package davfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"cosafs/materialize"
	"cosafs/vfs"
)

// When to come again after an answer that asks for it.
const (
	soon  = time.Second      // what it waits for is a moment away
	later = 10 * time.Second // a build, or a store that does not answer
)

// An answer is how an error goes out: the status, and when asking again makes
// sense; 0 is not before somebody did something about it.
type answer struct {
	status int
	again  time.Duration
}

// answers translates errors; the first that matches wins. What isn't here is 500.
// What won't get better by itself is a 4xx: clients ask again and again for a 5xx.
func answers() []struct {
	err error
	answer
} {
	return []struct {
		err error
		answer
	}{
		{materialize.ErrNotAllowed, answer{status: http.StatusForbidden}},
		{vfs.ErrReadOnly, answer{status: http.StatusForbidden}},
		{vfs.ErrNotDir, answer{status: http.StatusNotFound}},
		{vfs.ErrLoop, answer{status: http.StatusLoopDetected}},
		{vfs.ErrIsDir, answer{status: http.StatusConflict}},
		{vfs.ErrNotEmpty, answer{status: http.StatusConflict}},
		{vfs.ErrStale, answer{http.StatusConflict, soon}},
		{materialize.ErrCancelled, answer{status: http.StatusFailedDependency}},
		{materialize.ErrAbandoned, answer{http.StatusServiceUnavailable, soon}},
		{materialize.ErrNotMakeable, answer{status: http.StatusNotFound}},
		{materialize.ErrCorrupt, answer{status: http.StatusFailedDependency}},
		{syscall.ENOSPC, answer{status: http.StatusInsufficientStorage}},
		{syscall.EDQUOT, answer{status: http.StatusInsufficientStorage}},
		{context.DeadlineExceeded, answer{http.StatusServiceUnavailable, later}},
		{fs.ErrClosed, answer{http.StatusServiceUnavailable, later}},
		{fs.ErrNotExist, answer{status: http.StatusNotFound}},
		{fs.ErrExist, answer{status: http.StatusConflict}},
		{fs.ErrPermission, answer{status: http.StatusForbidden}},
		{fs.ErrInvalid, answer{status: http.StatusBadRequest}},
		{errors.ErrUnsupported, answer{status: http.StatusNotImplemented}},
	}
}

// answerOf gives the answer to an error, and whether the tables know it. A failure
// of materialising keeps to its class, whatever io/fs sentinel its cause happens to
// wrap: a tool that is missing inside a job must not look like a missing file.
func answerOf(err error) (a answer, known bool) {
	var failure *materialize.Failure
	if errors.As(err, &failure) && !errors.Is(err, materialize.ErrNotAllowed) {
		return failed(err, failure), true
	}
	for _, t := range answers() {
		if errors.Is(err, t.err) {
			return t.answer, true
		}
	}
	return answer{status: http.StatusInternalServerError}, false
}

// failed answers a failure: it is one of what the file depends on, unless its own
// bytes are gone. Those of another file, which a job wanted, are a dependency too.
func failed(err error, f *materialize.Failure) answer {
	var job *materialize.JobError
	switch {
	case f.Class == materialize.ClassSpace:
		return answer{status: http.StatusInsufficientStorage}
	case f.Class == materialize.ClassNetwork:
		return answer{http.StatusServiceUnavailable, later}
	case !errors.As(err, &job) && errors.Is(err, materialize.ErrGone):
		return answer{status: http.StatusGone}
	}
	return answer{status: http.StatusFailedDependency}
}

// fail answers an error, for browsers by a page. A client that has left gets none.
func (d *Door) fail(w http.ResponseWriter, r *http.Request, path string, err error) {
	if r.Context().Err() != nil && errors.Is(err, context.Cause(r.Context())) && !errors.Is(err, fs.ErrClosed) {
		d.log.Debug("client left", "path", path, "err", err)
		return
	}
	a, known := answerOf(err)
	if !known {
		d.log.Error("answer failed", "method", r.Method, "path", path, "err", err)
	}
	h := w.Header()
	forget(h)
	h.Set("Cache-Control", "no-store")
	if a.again > 0 {
		h.Set("Retry-After", strconv.Itoa(int(a.again.Seconds())))
	}
	switch {
	case d.cfg.Pages == nil || !isBrowser(r):
		http.Error(w, reason(err), a.status)
	case errors.Is(err, materialize.ErrNotAllowed):
		d.cfg.Pages.Ask(w, r, path)
	default:
		d.cfg.Pages.Failed(w, r, path, a.status, err)
	}
}

// forget takes out of a header what it says of a file that does not come.
func forget(h http.Header) {
	for _, name := range []string{
		"Etag", "Last-Modified", "Content-Length", "Content-Disposition", "Content-Location",
		"Accept-Ranges", "Content-Range", "Repr-Digest", "Digest", "X-Checksum-Sha256",
	} {
		h.Del(name)
	}
}

// reason says in lines what failed, what to do about it, and where the log is.
func reason(err error) string {
	var b strings.Builder
	b.WriteString(materialize.OneLine(err.Error()))
	if _, hint := materialize.ClassOf(err); hint != "" {
		fmt.Fprintf(&b, "\nhint: %s", hint)
	}
	var job *materialize.JobError
	if errors.As(err, &job) && job.Job != "" {
		fmt.Fprintf(&b, "\nlog: /.cosafs/jobs/%s/log", job.Job)
	}
	return b.String()
}
