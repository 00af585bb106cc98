package davfs

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Bounds of a body. RFC 4918 knows nothing deeper than three; the rest is room
// for extensions, which are skipped.
const (
	maxBody  = 1 << 20 // bytes
	maxDepth = 32      // open elements
)

// errXML means that a body is no XML that the door takes.
var errXML = errors.New("malformed XML")

// A scanner reads elements with their namespaces resolved. It is stricter than
// encoding/xml, which takes undeclared prefixes and empty ones (xmlns:x="", that
// RFC 4918 8.2 wants refused), and knows no DTD: no entities but XML's own five.
type scanner struct {
	dec    *xml.Decoder
	open   []scope
	closed bool // the root element ended
}

// A scope is an open element with the prefixes that it declares.
type scope struct {
	raw      xml.Name // as it stands there
	prefixes map[string]string
}

// scan gives a scanner of a body, which may start with a byte order mark.
func scan(body []byte) *scanner {
	return &scanner{dec: xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("\ufeff"))))}
}

// next gives the next start of an element by its name, or end = true for the end
// of one. io.EOF is the end of a whole document.
func (s *scanner) next() (name xml.Name, end bool, err error) {
	for {
		t, err := s.dec.RawToken()
		if errors.Is(err, io.EOF) && s.closed {
			return xml.Name{}, false, io.EOF
		}
		if err != nil {
			return xml.Name{}, false, fmt.Errorf("%w: %w", errXML, noEOF(err))
		}
		switch t := t.(type) {
		case xml.StartElement:
			name, err := s.push(t)
			return name, false, err
		case xml.EndElement:
			return xml.Name{}, true, s.pop(t)
		case xml.Directive:
			return xml.Name{}, false, fmt.Errorf("%w: a document type", errXML)
		case xml.CharData:
			if len(s.open) == 0 && len(bytes.TrimSpace(t)) > 0 {
				return xml.Name{}, false, fmt.Errorf("%w: text outside of the element", errXML)
			}
		}
	}
}

// noEOF keeps the middle of a document from passing for its end.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (s *scanner) push(t xml.StartElement) (xml.Name, error) {
	if s.closed || len(s.open) == maxDepth {
		return xml.Name{}, fmt.Errorf("%w: more than one element, or more than %d deep", errXML, maxDepth)
	}
	now := scope{raw: t.Name}
	for _, a := range t.Attr {
		prefix, ok := declares(a.Name)
		if !ok {
			continue
		}
		if a.Value == "" && prefix != "" {
			return xml.Name{}, fmt.Errorf("%w: xmlns:%s is empty", errXML, prefix)
		}
		if now.prefixes == nil {
			now.prefixes = map[string]string{}
		}
		now.prefixes[prefix] = a.Value
	}
	s.open = append(s.open, now)
	return s.resolve(t.Name)
}

// declares says which prefix an attribute declares, "" for the default.
func declares(attr xml.Name) (prefix string, ok bool) {
	if attr.Space == "" && attr.Local == "xmlns" {
		return "", true
	}
	return attr.Local, attr.Space == "xmlns"
}

// resolve gives a name its namespace by the innermost declaration of its prefix.
func (s *scanner) resolve(raw xml.Name) (xml.Name, error) {
	if strings.Contains(raw.Local, ":") {
		return xml.Name{}, fmt.Errorf("%w: name %s", errXML, raw.Local)
	}
	for i := len(s.open) - 1; i >= 0; i-- {
		if space, ok := s.open[i].prefixes[raw.Space]; ok {
			return xml.Name{Space: space, Local: raw.Local}, nil
		}
	}
	if raw.Space != "" {
		return xml.Name{}, fmt.Errorf("%w: undeclared prefix of %s:%s", errXML, raw.Space, raw.Local)
	}
	return raw, nil
}

func (s *scanner) pop(t xml.EndElement) error {
	last := len(s.open) - 1
	if last < 0 || s.open[last].raw != t.Name {
		return fmt.Errorf("%w: </%s> ends nothing", errXML, t.Name.Local)
	}
	s.open = s.open[:last]
	s.closed = last == 0
	return nil
}

// skip goes to the end of the element that has just begun.
func (s *scanner) skip() error {
	for depth := 1; depth > 0; {
		_, end, err := s.next()
		if err != nil {
			return err
		}
		if end {
			depth--
		} else {
			depth++
		}
	}
	return nil
}
