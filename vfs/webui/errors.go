package webui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"

	"cosafs/materialize"
	"cosafs/vfs"
)

// ErrNoDaemon means that nothing answers on the socket.
var ErrNoDaemon = errors.New("no cosafs daemon answers")

// ErrRunning means that another daemon serves the build directory.
var ErrRunning = errors.New("a cosafs daemon runs already for this build directory")

// errBadRequest marks a request that could not be understood.
var errBadRequest = fmt.Errorf("bad request: %w", fs.ErrInvalid)

// What is wrong with a request as such.
var (
	errNoCall   = errors.New("there is no such call")
	errNoMethod = errors.New("not a method")
	errTooLarge = errors.New("the request's body is too large")
	errForm     = errors.New("forms are not taken")
)

// noJob says that no job has the id.
func noJob(id string) error {
	return materialize.Fail(materialize.ClassConfig, "find job "+id, "see the jobs with: cosafs status",
		materialize.Says(fs.ErrNotExist, "no job that goes on or is remembered has this id"))
}

// StatusClientClosed is what a request that its caller gave up is logged with;
// the number is nginx's, HTTP has none.
const StatusClientClosed = 499

// A sentinel is an error that stays recognisable across the wire.
type sentinel struct {
	name   string
	err    error
	status int
}

// sentinels is the one table between errors and HTTP, more telling ones first:
// the first that matches gives the status.
func sentinels() []sentinel {
	return []sentinel{
		{"running", ErrRunning, http.StatusConflict},
		{"stale", vfs.ErrStale, http.StatusConflict},
		{"not-makeable", materialize.ErrNotMakeable, http.StatusUnprocessableEntity},
		{"corrupt", materialize.ErrCorrupt, http.StatusBadGateway},
		{"abandoned", materialize.ErrAbandoned, http.StatusConflict},
		{"cancelled", materialize.ErrCancelled, http.StatusConflict},
		{"no-call", errNoCall, http.StatusNotFound},
		{"no-method", errNoMethod, http.StatusMethodNotAllowed},
		{"too-large", errTooLarge, http.StatusRequestEntityTooLarge},
		{"form", errForm, http.StatusUnsupportedMediaType},
		{"not-exist", fs.ErrNotExist, http.StatusNotFound},
		{"exist", fs.ErrExist, http.StatusConflict},
		{"permission", fs.ErrPermission, http.StatusForbidden},
		{"invalid", fs.ErrInvalid, http.StatusBadRequest},
		{"closed", fs.ErrClosed, http.StatusServiceUnavailable},
		{"unsupported", errors.ErrUnsupported, http.StatusNotImplemented},
		{"context-canceled", context.Canceled, StatusClientClosed},
		{"deadline", context.DeadlineExceeded, http.StatusGatewayTimeout},
	}
}

// wireError is the JSON shape of every error.
type wireError struct {
	Error string            `json:"error"`           // one line for a person
	Is    []string          `json:"is,omitempty"`    // names of sentinels it wraps
	Class materialize.Class `json:"class,omitempty"` // of the failure it wraps
	Op    string            `json:"op,omitempty"`
	Hint  string            `json:"hint,omitempty"`
}

// encodeError gives err's wire shape and HTTP status.
func encodeError(err error) (wireError, int) {
	w, status := wireError{Error: err.Error()}, 0
	for _, s := range sentinels() {
		if !errors.Is(err, s.err) {
			continue
		}
		w.Is = append(w.Is, s.name)
		if status == 0 {
			status = s.status
		}
	}
	var f *materialize.Failure
	if errors.As(err, &f) {
		w.Class, w.Op, w.Hint = f.Class, f.Op, f.Hint
	}
	if status == 0 {
		status = http.StatusInternalServerError
	}
	return w, status
}

// decode gives the error that w stands for.
func (w wireError) decode() error {
	e := &remoteError{text: w.Error}
	for _, s := range sentinels() {
		for _, name := range w.Is {
			if name == s.name {
				e.causes = append(e.causes, s.err)
			}
		}
	}
	if w.Class != "" {
		e.causes = append(e.causes, materialize.Fail(w.Class, w.Op, w.Hint, errors.New(w.Error)))
	}
	return e
}

// A remoteError is an error of the other side: its text, and what it wrapped.
type remoteError struct {
	text   string
	causes []error
}

// Error gives the text as the other side said it.
func (e *remoteError) Error() string { return e.text }

// Unwrap gives the sentinels and the failure that crossed the wire.
func (e *remoteError) Unwrap() []error { return e.causes }

// writeError answers a request with err.
func writeError(w http.ResponseWriter, err error) {
	body, status := encodeError(err)
	writeJSON(w, status, body)
}

// writeJSON answers with v. An error of the write means that the client is
// gone, and there is nobody left to tell.
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// EncodeError gives err in the API's error shape, for other lines between
// cosafs processes.
func EncodeError(err error) json.RawMessage {
	w, _ := encodeError(err)
	data, err := json.Marshal(w)
	if err != nil {
		return json.RawMessage(`{"error":"unspeakable error"}`) // strings always marshal
	}
	return data
}

// DecodeError gives the error that [EncodeError] wrote down.
func DecodeError(data json.RawMessage) error {
	var w wireError
	if err := json.Unmarshal(data, &w); err != nil {
		return fmt.Errorf("read error report: %w", err)
	}
	return w.decode()
}
