package davfs

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Bounds of what a body may ask for: what a server does not know it says once an
// entry, so that a body of a megabyte would be answered with gigabytes.
const (
	maxProperties = 128
	maxName       = 256 // bytes of a namespace or name
)

// A wish is what a PROPFIND asks to be told of each resource.
type wish struct {
	known   []*property
	unknown []xml.Name // asked for by name, and had by nothing
	// byName: also tell which of known a resource does not have.
	byName bool
	// namesOnly: the names of properties, without values.
	namesOnly bool
}

// parseWish reads a propfind element (RFC 4918 14.20). No body asks for
// everything usual. Elements that it does not know are skipped (17).
func parseWish(body []byte) (wish, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return wish{known: usual()}, nil
	}
	s := scan(body)
	root, _, err := s.next()
	if err != nil {
		return wish{}, err
	}
	if root != davName("propfind") {
		return wish{}, fmt.Errorf("%w: <%s> is no propfind", errXML, root.Local)
	}
	p := wishParser{scanner: s}
	if err := p.children(p.part); err != nil {
		return wish{}, err
	}
	if _, _, err := s.next(); !errors.Is(err, io.EOF) {
		return wish{}, err
	}
	return p.result()
}

// wishParser collects what stands in a propfind element.
type wishParser struct {
	*scanner
	kinds []string   // allprop, propname, prop, as they stand there
	named []xml.Name // in prop or include
}

// children calls do with each child of the element that has just begun; do reads
// to the child's end.
func (p *wishParser) children(do func(xml.Name) error) error {
	for {
		name, end, err := p.next()
		if err != nil || end {
			return err
		}
		if err := do(name); err != nil {
			return err
		}
	}
}

func (p *wishParser) part(name xml.Name) error {
	switch name {
	case davName("allprop"), davName("propname"):
		p.kinds = append(p.kinds, name.Local)
	case davName("prop"):
		p.kinds = append(p.kinds, name.Local)
		return p.children(p.property)
	case davName("include"):
		return p.children(p.property)
	}
	return p.skip()
}

func (p *wishParser) property(name xml.Name) error {
	if len(name.Space) > maxName || len(name.Local) > maxName || !startsName(name.Local) {
		return fmt.Errorf("%w: property %.40q", errXML, name.Local)
	}
	if !slices.Contains(p.named, name) {
		p.named = append(p.named, name)
	}
	if len(p.named) > maxProperties {
		return fmt.Errorf("%w: more than %d properties", errXML, maxProperties)
	}
	return p.skip()
}

// startsName says whether what stands behind a prefix could stand without one.
func startsName(local string) bool {
	_, err := xml.NewDecoder(strings.NewReader("<" + local + "/>")).RawToken()
	return err == nil
}

func (p *wishParser) result() (wish, error) {
	if len(p.kinds) != 1 {
		return wish{}, fmt.Errorf("%w: one of allprop, propname and prop is needed, not %q", errXML, p.kinds)
	}
	var known []*property
	var unknown []xml.Name
	for _, name := range p.named {
		if i := slices.IndexFunc(properties, func(q property) bool { return q.name == name }); i >= 0 {
			known = append(known, &properties[i])
		} else {
			unknown = append(unknown, name)
		}
	}
	switch p.kinds[0] {
	case "propname":
		return wish{known: every(), namesOnly: true}, nil
	case "allprop":
		extra := slices.DeleteFunc(known, func(q *property) bool { return !q.extra })
		return wish{known: append(usual(), extra...)}, nil
	default:
		return wish{known: known, unknown: unknown, byName: true}, nil
	}
}
