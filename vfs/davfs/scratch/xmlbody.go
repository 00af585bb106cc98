package scratch

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
)

const (
	maxBody  = 1 << 20 // bytes of XML
	maxNests = 64      // elements in one another
)

// admitBody reads the XML body, checks it, and puts it back for x/net/webdav.
func (s *session) admitBody() error {
	body, err := s.readBody()
	if err != nil {
		return err
	}
	s.named = bytes.Contains(body, []byte("prop>")) && !bytes.Contains(body, []byte("allprop"))
	s.r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

// readBody reads a checked XML body; none is nil.
func (s *session) readBody() ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(s.answer.ResponseWriter, s.r.Body, maxBody))
	var tooBig *http.MaxBytesError
	if errors.As(err, &tooBig) {
		return nil, refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("more than %d bytes of XML", maxBody))
	}
	if err != nil {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	if len(body) == 0 {
		return nil, nil
	}
	if err := checkXML(body); err != nil {
		return nil, refuse(http.StatusBadRequest, "the body is no XML that WebDAV takes: "+err.Error())
	}
	return body, nil
}

// checkXML lets through one well-formed document without a document type and with
// bounded depth. x/net/webdav's own parser takes `xmlns:x=""`; and it ends a
// property at the first end tag of its name, so that one with an element called
// like itself would be stored as broken XML.
func checkXML(body []byte) error {
	d := xml.NewDecoder(bytes.NewReader(body))
	var open []xml.Name
	for roots := 0; ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && roots == 1 {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.Directive:
			return errors.New("it has a document type")
		case xml.StartElement:
			if len(open) == 0 {
				roots++
			}
			if err := checkElement(t, open); err != nil {
				return err
			}
			open = append(open, t.Name)
		case xml.EndElement:
			open = open[:len(open)-1]
		}
		if roots > 1 || len(open) > maxNests {
			return errors.New("it has more than one element at the top, or too many in one another")
		}
	}
}

// checkElement checks a start tag inside those that are open.
func checkElement(t xml.StartElement, open []xml.Name) error {
	for _, a := range t.Attr {
		if a.Name.Space == "xmlns" && a.Value == "" {
			return fmt.Errorf("the prefix %s has no name space", a.Name.Local)
		}
	}
	if len(open) > propDepth && slices.Contains(open[propDepth:], t.Name) {
		return fmt.Errorf("a property has an element in it of its own name, %s", t.Name.Local)
	}
	return nil
}

// propDepth is how deep the elements are that a PROPPATCH names its properties
// by: propertyupdate, set, prop.
const propDepth = 3
