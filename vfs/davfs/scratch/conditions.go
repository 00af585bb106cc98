package scratch

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// conditions are what a request makes its change depend on: If (RFC 4918 section
// 10.4), If-Match and If-None-Match (RFC 9110 section 13.1). x/net/webdav looks at
// the lock tokens of the first alone.
type conditions struct {
	lists            []ifList
	match, noneMatch string
}

// parseConditions takes the conditions out of a request; x/net/webdav shall not
// judge them again.
func (c *Collection) parseConditions(r *http.Request, name string) (conditions, error) {
	cond := conditions{match: r.Header.Get("If-Match"), noneMatch: r.Header.Get("If-None-Match")}
	header := strings.Join(r.Header.Values("If"), " ")
	r.Header.Del("If")
	if header == "" {
		return cond, nil
	}
	lists, err := parseIf(header)
	if err != nil {
		return cond, refuse(http.StatusBadRequest, "If: "+err.Error())
	}
	for i := range lists {
		lists[i].name = name
		if lists[i].tag != "" {
			lists[i].name = c.tagged(r, lists[i].tag)
		}
	}
	cond.lists = lists
	return cond, nil
}

// tagged gives the name that a list is about; "" for what is not of this
// collection, about which nothing is true.
func (c *Collection) tagged(r *http.Request, tag string) string {
	u, err := url.Parse(tag)
	if err != nil || u.Host != "" && u.Host != r.Host {
		return ""
	}
	name, err := parseName(c.prefix, u.Path)
	if err != nil {
		return ""
	}
	return name
}

// noLock is a token that no lock has (RFC 4918 section 10.4.8).
const noLock = "DAV:no-lock"

// tokens are those that the request shows, in whatever list they stand.
func (c conditions) tokens() []string {
	var all []string
	for _, l := range c.lists {
		for _, f := range l.facts {
			if f.token != "" && f.token != noLock && !slices.Contains(all, f.token) {
				all = append(all, f.token)
			}
		}
	}
	return all
}

// holds is [errChanged] if the request's conditions don't hold.
func (s *session) holds(now time.Time) error {
	if len(s.cond.lists) > 0 && !slices.ContainsFunc(s.cond.lists, func(l ifList) bool { return s.listHolds(now, l) }) {
		return fmt.Errorf("the header If: %w", errChanged)
	}
	tag := s.tag(s.name)
	if s.cond.match != "" && !tagIn(s.cond.match, tag) {
		return fmt.Errorf("the header If-Match: %w", errChanged)
	}
	if s.cond.noneMatch != "" && tagIn(s.cond.noneMatch, tag) {
		return fmt.Errorf("the header If-None-Match: %w", errChanged)
	}
	return nil
}

// listHolds says whether all facts of a list are so.
func (s *session) listHolds(now time.Time, l ifList) bool {
	for _, f := range l.facts {
		if s.factHolds(now, l.name, f) == f.not {
			return false
		}
	}
	return true
}

func (s *session) factHolds(now time.Time, name string, f fact) bool {
	if name == "" {
		return false
	}
	if f.token != "" {
		return slices.ContainsFunc(s.c.locks.on(now, name), func(l lock) bool { return l.token == f.token })
	}
	return f.etag == s.tag(name)
}

// tag is the entity tag of a name; "" where nothing is.
func (s *session) tag(name string) string {
	fi, err := s.c.tree.look(name)
	if err != nil {
		return ""
	}
	return entityTag(fi)
}

// tagIn says whether a header's list of entity tags has one of what exists. Our
// tags have no commas, and weak ones are equal to none of them.
func tagIn(header, tag string) bool {
	if tag == "" {
		return false
	}
	for one := range strings.SplitSeq(header, ",") {
		if one = strings.TrimSpace(one); one == "*" || one == tag {
			return true
		}
	}
	return false
}
