package scratch

import (
	"net/http"
)

// An answer holds what x/net/webdav says back until the change is really made:
// its first word would be the last. A multistatus is passed on as it comes.
type answer struct {
	http.ResponseWriter
	status  int  // what was said; 0 if nothing
	passing bool // the header is out
	failed  bool // an error was said after that
}

// WriteHeader notes the status.
func (a *answer) WriteHeader(status int) {
	if a.passing {
		// x/net/webdav says so when it has to give up in the middle of a listing.
		a.failed = a.failed || status >= http.StatusBadRequest
		return
	}
	a.status = status
	if status == http.StatusMultiStatus {
		a.begin(status)
	}
}

// Write passes a multistatus on, and drops the texts that go with other statuses.
func (a *answer) Write(p []byte) (int, error) {
	if !a.passing {
		return len(p), nil
	}
	return a.ResponseWriter.Write(p)
}

// Unwrap lets [http.ResponseController] find what it controls.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// begin sends the header.
func (a *answer) begin(status int) {
	a.status, a.passing = status, true
	a.ResponseWriter.WriteHeader(status)
}

// send sends what was held back. A file that was replaced is not created: 204,
// where x/net/webdav always says 201 (RFC 9110 section 9.3.4).
func (a *answer) send(replaced bool) {
	if a.passing {
		return
	}
	if replaced && a.status == http.StatusCreated {
		a.status = http.StatusNoContent
	}
	if a.status != http.StatusNoContent {
		a.Header().Set("Content-Length", "0")
	}
	a.begin(a.status)
}

// refuse sends an error instead.
func (a *answer) refuse(err error) {
	if a.passing {
		return
	}
	status := statusOf(err)
	contentType, text := explain(err, status)
	h := a.Header()
	h.Del("ETag")
	h.Del("Lock-Token")
	h.Set("Content-Type", contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	a.begin(status)
	// Who does not read the reason has the status.
	_, _ = a.ResponseWriter.Write([]byte(text))
}
