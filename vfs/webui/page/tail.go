package page

import "bytes"

// A tail keeps the end of what is written to it, from the beginning of a line.
type tail struct {
	max int // bytes
	buf []byte
	cut bool // something was left out
}

// Write takes everything and keeps the end.
func (t *tail) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	// Only now and then, so that a long log is not moved with every line.
	if len(t.buf) > 2*t.max {
		t.trim()
	}
	return len(p), nil
}

func (t *tail) trim() {
	if len(t.buf) <= t.max {
		return
	}
	rest := t.buf[len(t.buf)-t.max:]
	if i := bytes.IndexByte(rest, '\n'); i >= 0 {
		rest = rest[i+1:]
	}
	t.buf, t.cut = append(t.buf[:0], rest...), true
}

// text gives what is kept. Logs need not be UTF-8.
func (t *tail) text() string {
	t.trim()
	return string(bytes.ToValidUTF8(t.buf, []byte("\uFFFD")))
}
