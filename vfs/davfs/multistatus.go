package davfs

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/http"
	"strconv"
)

// What a multistatus answer (RFC 4918 13) is made of.
const (
	multistatusStart = xml.Header + `<D:multistatus xmlns:D="` + davSpace + `" xmlns:C="` + cosafsSpace + `">` + "\n"
	multistatusEnd   = "</D:multistatus>\n"

	propstatStart    = "<D:propstat><D:prop>"
	propstatFound    = "</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>"
	propstatNotFound = "</D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat>"
)

// flushAt is how many bytes of an answer are collected before they are sent: so
// that a listing needs as much memory however long it is.
const flushAt = 32 << 10

// A multistatus writes one response element after the other. It is for one
// goroutine. The first error of the writer stays: later writes do nothing.
type multistatus struct {
	w       io.Writer
	wish    wish
	unknown []byte // the elements of wish.unknown
	b       []byte
	err     error
}

func newMultistatus(w io.Writer, wanted wish) *multistatus {
	m := &multistatus{w: w, wish: wanted, b: make([]byte, 0, flushAt+flushAt/4)}
	for _, name := range wanted.unknown {
		m.unknown = appendUnknown(m.unknown, name)
	}
	m.b = append(m.b, multistatusStart...)
	return m
}

// add writes what is wished for of one resource.
func (m *multistatus) add(r *resource) {
	m.startResponse(r.path, r.collection())
	b := append(m.b, propstatStart...)
	empty := len(b)
	for _, p := range m.wish.known {
		b = m.appendProperty(b, p, r)
	}
	if len(b) > empty || !m.wish.byName || len(m.wish.known)+len(m.unknown) == 0 {
		b = append(b, propstatFound...)
	} else {
		b = b[:empty-len(propstatStart)]
	}
	m.b = append(m.appendAbsent(b, r), "</D:response>\n"...)
	m.flush(flushAt)
}

// addFailed writes that one resource can't be told of.
func (m *multistatus) addFailed(path string, status int) {
	m.startResponse(path, false)
	m.b = append(m.b, "<D:status>HTTP/1.1 "...)
	m.b = strconv.AppendInt(m.b, int64(status), 10)
	m.b = append(append(append(m.b, ' '), http.StatusText(status)...), "</D:status></D:response>\n"...)
	m.flush(flushAt)
}

func (m *multistatus) startResponse(path string, collection bool) {
	m.b = append(m.b, "<D:response><D:href>/"...)
	m.b = appendEscaped(m.b, path)
	if collection && path != "" {
		m.b = append(m.b, '/')
	}
	m.b = append(m.b, "</D:href>"...)
}

// appendProperty adds a property's element, if the resource has it.
func (m *multistatus) appendProperty(b []byte, p *property, r *resource) []byte {
	start := len(b)
	b = append(append(append(b, '<'), p.tag...), '>')
	b, ok := p.append(b, r)
	switch {
	case !ok:
		return b[:start]
	case m.wish.namesOnly:
		return appendEmpty(b[:start], p.tag)
	}
	return append(append(append(b, "</"...), p.tag...), '>')
}

// appendAbsent adds which of the properties that were asked for by name the
// resource does not have.
func (m *multistatus) appendAbsent(b []byte, r *resource) []byte {
	if !m.wish.byName {
		return b
	}
	start := len(b)
	b = append(append(b, propstatStart...), m.unknown...)
	empty := start + len(propstatStart)
	for _, p := range m.wish.known {
		value, has := p.append(b, r)
		if b = value[:len(b)]; !has {
			b = appendEmpty(b, p.tag)
		}
	}
	if len(b) == empty {
		return b[:start]
	}
	return append(b, propstatNotFound...)
}

// close ends the answer and tells whether all of it was written.
func (m *multistatus) close() error {
	m.b = append(m.b, multistatusEnd...)
	m.flush(0)
	return m.err
}

// flush sends what was collected, if it is more than so many bytes.
func (m *multistatus) flush(above int) {
	if len(m.b) <= above {
		return
	}
	if m.err == nil {
		_, m.err = m.w.Write(m.b)
	}
	m.b = m.b[:0]
}

// appendEmpty adds an element without content.
func appendEmpty(b []byte, tag string) []byte {
	return append(append(append(b, '<'), tag...), "/>"...)
}

// appendUnknown adds the empty element of a property in a namespace of its own.
func appendUnknown(b []byte, name xml.Name) []byte {
	if name.Space == "" {
		return appendEmpty(b, name.Local)
	}
	b = append(append(append(b, "<X:"...), name.Local...), ` xmlns:X="`...)
	return append(appendText(b, name.Space), `"/>`...)
}

// appendText escapes text for XML. What XML 1.0 has no way to say, control
// characters and bytes that are not UTF-8, becomes U+FFFD.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '<' || c == '>' || c == '&' || c == '"' || c == '\'' {
			buf := bytes.NewBuffer(b)
			_ = xml.EscapeText(buf, []byte(s)) // a buffer takes everything
			return buf.Bytes()
		}
	}
	return append(b, s...)
}
