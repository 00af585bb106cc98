package scratch

import (
	"errors"
	"fmt"
	"strings"
)

// An ifList is one list of an If header: all of its facts have to be so.
type ifList struct {
	tag   string // the URL that it is about; "" = the request's
	name  string // what that is in the collection
	facts []fact
}

// A fact is a state token or an entity tag that a name has, or has not.
type fact struct {
	not         bool
	token, etag string // one of both
}

// maxFacts bounds the work of one header; a header is at most 1 MiB, package net/http.
const maxFacts = 1000

// parseIf reads an If header (RFC 4918 section 10.4.2):
//
//	If    = 1*( *1(<URL>) 1*List )
//	List  = "(" 1*( ["Not"] ( <token> | [etag] ) ) ")"
func parseIf(header string) ([]ifList, error) {
	var lists []ifList
	p := ifParser{rest: header}
	tag, facts := "", 0
	for p.skip(); p.rest != ""; p.skip() {
		if p.rest[0] == '<' {
			url, err := p.until('>')
			if err != nil {
				return nil, err
			}
			if tag = url; !p.ahead('(') {
				return nil, fmt.Errorf("no list follows <%s>", url)
			}
		}
		l, err := p.list()
		if err != nil {
			return nil, err
		}
		l.tag = tag
		lists = append(lists, l)
		if facts += len(l.facts); facts > maxFacts {
			return nil, errors.New("too many conditions")
		}
	}
	if len(lists) == 0 {
		return nil, errors.New("no list")
	}
	return lists, nil
}

// An ifParser is the rest of a header.
type ifParser struct{ rest string }

// skip leaves white space out.
func (p *ifParser) skip() { p.rest = strings.TrimLeft(p.rest, " \t") }

// ahead says whether c is next.
func (p *ifParser) ahead(c byte) bool {
	p.skip()
	return p.rest != "" && p.rest[0] == c
}

// until takes what is between the next character and its partner.
func (p *ifParser) until(end byte) (string, error) {
	i := strings.IndexByte(p.rest, end)
	if i < 2 {
		return "", fmt.Errorf("nothing ends at %q in %q", end, p.rest)
	}
	text := p.rest[1:i]
	p.rest = p.rest[i+1:]
	return text, nil
}

// list takes a list.
func (p *ifParser) list() (ifList, error) {
	var l ifList
	if !p.ahead('(') {
		return l, fmt.Errorf("no list at %q", p.rest)
	}
	for p.rest = p.rest[1:]; !p.ahead(')'); {
		f, err := p.fact()
		if err != nil {
			return l, err
		}
		l.facts = append(l.facts, f)
	}
	p.rest = p.rest[1:]
	if len(l.facts) == 0 {
		return l, errors.New("an empty list")
	}
	return l, nil
}

// fact takes a condition of a list.
func (p *ifParser) fact() (f fact, err error) {
	if len(p.rest) >= 3 && strings.EqualFold(p.rest[:3], "Not") {
		f.not = true
		p.rest = p.rest[3:]
	}
	switch {
	case p.ahead('<'):
		f.token, err = p.until('>')
	case p.ahead('['):
		f.etag, err = p.until(']')
	default:
		err = fmt.Errorf("neither token nor entity tag at %q", p.rest)
	}
	return f, err
}
