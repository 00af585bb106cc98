package webui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
	"unicode/utf8"
)

// eventBytes is how many bytes of log one event has at most.
const eventBytes = 32 << 10

// An eventWriter writes server-sent events. A client that does not take one in
// time gets no more.
type eventWriter struct {
	w   http.ResponseWriter
	ctl *http.ResponseController
	err error // of the first write that failed
}

func newEventWriter(w http.ResponseWriter) *eventWriter {
	return &eventWriter{w: w, ctl: http.NewResponseController(w)}
}

// begin says when to come back.
func (e *eventWriter) begin() error {
	return e.write(fmt.Appendf(nil, "retry: %d\n\n", eventRetry.Milliseconds()))
}

// comment is a sign of life that is no event.
func (e *eventWriter) comment() error { return e.write([]byte(": \n\n")) }

// send writes an event; without an id the client keeps the last one.
func (e *eventWriter) send(name, id string, data any) error {
	text, err := json.Marshal(data) // has no line feeds
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if id != "" {
		fmt.Fprintf(&b, "id: %s\n", id)
	}
	fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", name, text)
	return e.write(b.Bytes())
}

// write sends at once. The deadline is taken back, since HTTP/2 ends a stream
// whose deadline passes while nothing is written. Errors of deadlines are those of
// writers that have none.
func (e *eventWriter) write(p []byte) error {
	if e.err != nil {
		return e.err
	}
	_ = e.ctl.SetWriteDeadline(time.Now().Add(slowClient)) // see above
	defer func() { _ = e.ctl.SetWriteDeadline(time.Time{}) }()
	if _, e.err = e.w.Write(p); e.err == nil {
		e.err = e.ctl.Flush()
	}
	return e.err
}

// sendLog sends whole characters in events of a bounded size. Each has the offset
// of its end as its id, from which a client that was cut off goes on.
func (c *watcher) sendLog(text []byte) error {
	for len(text) > 0 {
		part := text[:min(len(text), eventBytes)]
		if len(part) < len(text) {
			part = part[:len(part)-halfRune(part)]
		}
		text = text[len(part):]
		e := logEvent{Text: string(part), Offset: c.sent} // JSON makes each odd byte U+FFFD
		c.sent += int64(len(part))
		if err := c.out.send("log", fmt.Sprint(c.sent), e); err != nil {
			return err
		}
	}
	return nil
}

// halfRune is how many bytes at the end are the beginning of a character whose
// rest is missing.
func halfRune(p []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(p); n++ {
		if last := p[len(p)-n:]; utf8.RuneStart(last[0]) {
			if utf8.FullRune(last) {
				return 0
			}
			return n
		}
	}
	return 0
}

// A skipper drops the first bytes of what is written.
type skipper struct {
	skip int64
	to   io.Writer
}

// Write passes on what is not skipped.
func (s *skipper) Write(p []byte) (int, error) {
	drop := min(s.skip, int64(len(p)))
	s.skip -= drop
	if int(drop) == len(p) {
		return len(p), nil
	}
	n, err := s.to.Write(p[drop:])
	return int(drop) + n, err
}
