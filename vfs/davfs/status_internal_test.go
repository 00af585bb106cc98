package davfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"syscall"
	"testing"

	"cosafs/materialize"
	"cosafs/vfs"
)

func TestAnswers(t *testing.T) {
	boom := errors.New("boom")
	job := func(class materialize.Class, err error) error {
		return &materialize.JobError{Job: "j", Err: materialize.Fail(class, "compose", "mend it", err)}
	}
	for _, tt := range []struct {
		err    error
		status int
		again  bool
	}{
		{vfs.ErrReadOnly, http.StatusForbidden, false},
		{vfs.ErrNotDir, http.StatusNotFound, false},
		{vfs.ErrIsDir, http.StatusConflict, false},
		{vfs.ErrNotEmpty, http.StatusConflict, false},
		{vfs.ErrStale, http.StatusConflict, true},
		{vfs.ErrLoop, http.StatusLoopDetected, false},
		{materialize.ErrNotAllowed, http.StatusForbidden, false},
		{materialize.Fail(materialize.ClassConfig, "open", "ask", materialize.ErrNotAllowed), http.StatusForbidden, false},
		{materialize.ErrCancelled, http.StatusFailedDependency, false},
		{materialize.ErrAbandoned, http.StatusServiceUnavailable, true},
		{materialize.ErrNotMakeable, http.StatusNotFound, false},
		{materialize.ErrCorrupt, http.StatusFailedDependency, false},
		{job(materialize.ClassConfig, boom), http.StatusFailedDependency, false},
		{job(materialize.ClassTool, fs.ErrNotExist), http.StatusFailedDependency, false},
		{job(materialize.ClassSpace, boom), http.StatusInsufficientStorage, false},
		{job(materialize.ClassNetwork, boom), http.StatusServiceUnavailable, true},
		{materialize.Fail(materialize.ClassConfig, "open", "look elsewhere", materialize.ErrGone), http.StatusGone, false},
		{job(materialize.ClassConfig, materialize.ErrGone), http.StatusFailedDependency, false},
		{materialize.Fail(materialize.ClassConfig, "read image.yaml", "mend it", fs.ErrNotExist), http.StatusFailedDependency, false},
		{materialize.Fail(materialize.ClassNetwork, "ask", "wait", fs.ErrPermission), http.StatusServiceUnavailable, true},
		{fs.ErrNotExist, http.StatusNotFound, false},
		{fs.ErrExist, http.StatusConflict, false},
		{fs.ErrPermission, http.StatusForbidden, false},
		{fs.ErrInvalid, http.StatusBadRequest, false},
		{fs.ErrClosed, http.StatusServiceUnavailable, true},
		{errors.ErrUnsupported, http.StatusNotImplemented, false},
		{context.DeadlineExceeded, http.StatusServiceUnavailable, true},
		{syscall.ENOSPC, http.StatusInsufficientStorage, false},
		{syscall.EDQUOT, http.StatusInsufficientStorage, false},
		{boom, http.StatusInternalServerError, false},
	} {
		err := fmt.Errorf("open x: %w", tt.err)
		a, known := answerOf(err)
		if a.status != tt.status || (a.again > 0) != tt.again {
			t.Errorf("%v: %+v, want %d, again %v", tt.err, a, tt.status, tt.again)
		}
		if unknown := errors.Is(tt.err, boom) && tt.status == http.StatusInternalServerError; known == unknown {
			t.Errorf("%v: known %v", tt.err, known)
		}
	}
}
