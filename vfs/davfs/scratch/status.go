package scratch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"syscall"

	"cosafs/materialize"

	"golang.org/x/net/webdav"
)

// What happens to a request beside what package fs has a name for.
var (
	errTooLarge  = errors.New("the file is larger than this collection takes")
	errFull      = errors.New("the collection is full")
	errNoParent  = errors.New("the collection above it does not exist")
	errChanged   = errors.New("it is not what the request's conditions ask for")
	errNotPlain  = fmt.Errorf("neither a file nor a directory: %w", fs.ErrPermission)
	errCut       = fmt.Errorf("the body ended early: %w", io.ErrUnexpectedEOF)
	errManyLocks = errors.New("too many locks")
)

// statusOf is this door's one table from errors to statuses. Who fails in a way
// that is not listed is told no more than 500; the log has the whole chain.
func statusOf(err error) int {
	var ref *refusal
	if errors.As(err, &ref) {
		return ref.status
	}
	for _, row := range []struct {
		err    error
		status int
	}{
		{errTooLarge, http.StatusRequestEntityTooLarge},
		{errFull, http.StatusInsufficientStorage},
		{syscall.ENOSPC, http.StatusInsufficientStorage},
		{syscall.EDQUOT, http.StatusInsufficientStorage},
		{errManyLocks, http.StatusInsufficientStorage},
		{errNoParent, http.StatusConflict},
		{errChanged, http.StatusPreconditionFailed},
		{webdav.ErrLocked, http.StatusLocked},
		{webdav.ErrNoSuchLock, http.StatusPreconditionFailed},
		{io.ErrUnexpectedEOF, http.StatusBadRequest},
		{syscall.EISDIR, http.StatusMethodNotAllowed},
		{syscall.ENAMETOOLONG, http.StatusRequestURITooLong},
		{fs.ErrExist, http.StatusMethodNotAllowed},
		{fs.ErrPermission, http.StatusForbidden},
		{fs.ErrNotExist, http.StatusNotFound},
		{context.Canceled, http.StatusBadRequest},
	} {
		if errors.Is(err, row.err) {
			return row.status
		}
	}
	return http.StatusInternalServerError
}

// A refusal is an error that chose its status itself.
type refusal struct {
	status    int
	reason    string
	condition string // the precondition code of RFC 4918 section 16, if it has one
}

func refuse(status int, reason string) *refusal { return &refusal{status: status, reason: reason} }

// Error gives the reason.
func (e *refusal) Error() string { return e.reason }

// explain says what went wrong to whoever asked: the reason and what to do, or
// the condition that WebDAV clients know by its name.
func explain(err error, status int) (contentType, text string) {
	var ref *refusal
	if errors.As(err, &ref) && ref.condition != "" {
		return "application/xml; charset=utf-8", `<?xml version="1.0" encoding="utf-8"?>` + "\n" +
			`<D:error xmlns:D="DAV:"><D:` + ref.condition + `/></D:error>` + "\n"
	}
	text = http.StatusText(status)
	if status != http.StatusInternalServerError {
		text = err.Error()
	}
	var f *materialize.Failure
	if errors.As(err, &f) && f.Hint != "" {
		text += "\n" + f.Hint
	}
	return "text/plain; charset=utf-8", text + "\n"
}
