package scratch

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/webdav"
)

// lock answers LOCK: a new lock, or more time for one if there is no body.
func (s *session) lock() error {
	timeout, err := parseTimeout(s.r.Header.Get("Timeout"))
	if err != nil {
		return err
	}
	body, err := s.readBody()
	if err != nil {
		return err
	}
	if len(body) == 0 {
		return s.refresh(timeout)
	}
	l, err := s.parseLock(body)
	if err != nil {
		return err
	}
	l.time = timeout
	return s.makeLock(l)
}

// makeLock makes a lock, and an empty file where nothing is (RFC 4918 section
// 7.3). Another's lock is in the way, one's own of the same place too.
func (s *session) makeLock(l *lock) error {
	now := time.Now()
	if err := s.leaseForLock(now, l); err != nil {
		return err
	}
	token, err := s.c.locks.lock(now, l, s.leases)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if s.fresh {
		status, err = http.StatusCreated, s.makeEmpty()
	}
	if err != nil {
		s.c.locks.release([]string{token})
		return err
	}
	s.answer.Header().Set("Lock-Token", "<"+token+">")
	return s.sayLock(status, *l)
}

// leaseForLock takes a lease where the lock makes a file. Otherwise nothing is
// changed, and a shared lock needs no other's token.
func (s *session) leaseForLock(now time.Time, l *lock) error {
	if _, err := s.c.tree.look(s.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	} else if err == nil {
		return s.holds(now)
	}
	_, err := s.lease(now, l.root)
	return err
}

// makeEmpty makes the file that a lock is for.
func (s *session) makeEmpty() error {
	up, err := s.create(files{s}, s.name, 0o666)
	if err != nil {
		return err
	}
	if err := up.Close(); err != nil {
		return err
	}
	return s.commit()
}

// refresh answers LOCK without a body: the If header names the lock.
func (s *session) refresh(timeout time.Duration) error {
	tokens := s.cond.tokens()
	if len(tokens) != 1 {
		return refuse(http.StatusBadRequest, "without a body LOCK takes one lock token in If")
	}
	l, err := s.c.locks.refresh(time.Now(), tokens[0], s.name, s.caller.Name, timeout)
	if err != nil {
		return err
	}
	return s.sayLock(http.StatusOK, l)
}

// sayLock answers with the lock's description.
func (s *session) sayLock(status int, l lock) error {
	s.answer.Header().Set("Content-Type", "application/xml; charset=utf-8")
	s.answer.begin(status)
	_, err := fmt.Fprintf(&s.answer, `<?xml version="1.0" encoding="utf-8"?>`+"\n"+
		`<D:prop xmlns:D="DAV:"><D:lockdiscovery>%s</D:lockdiscovery></D:prop>`+"\n", s.c.activeLock(l))
	return err
}

// activeLock describes a lock (RFC 4918 section 14.1), with all name spaces.
func (c *Collection) activeLock(l lock) string {
	scope, depth := "exclusive", "0"
	if l.shared {
		scope = "shared"
	}
	if l.deep {
		depth = "infinity"
	}
	return fmt.Sprintf(`<D:activelock xmlns:D="DAV:"><D:locktype><D:write/></D:locktype><D:lockscope><D:%s/></D:lockscope>`+
		`<D:depth>%s</D:depth><D:owner>%s</D:owner><D:timeout>Second-%d</D:timeout>`+
		`<D:locktoken><D:href>%s</D:href></D:locktoken><D:lockroot><D:href>%s</D:href></D:lockroot></D:activelock>`,
		scope, depth, l.owner, l.time/time.Second, l.token, escape(c.href(l.root, false)))
}

// lockProps gives the properties about locks. Which kinds there are is said only
// to who asks by name: x/net/webdav has an answer of its own for the rest.
func (s *session) lockProps(name string) map[xml.Name]webdav.Property {
	var active strings.Builder
	for _, l := range s.c.locks.on(time.Now(), name) {
		active.WriteString(s.c.activeLock(l))
	}
	props := map[xml.Name]webdav.Property{}
	add := func(local, inner string) {
		n := xml.Name{Space: "DAV:", Local: local}
		props[n] = webdav.Property{XMLName: n, InnerXML: []byte(inner)}
	}
	add("lockdiscovery", active.String())
	if s.named {
		const entry = `<D:lockentry xmlns:D="DAV:"><D:lockscope><D:%s/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>`
		add("supportedlock", fmt.Sprintf(entry+entry, "exclusive", "shared"))
	}
	return props
}

// escape writes text into XML.
func escape(text string) string {
	var b strings.Builder
	// A builder takes everything.
	_ = xml.EscapeText(&b, []byte(text))
	return b.String()
}
