package scratch

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"cosafs/vfs/access"

	"golang.org/x/net/webdav"
)

// leases is the lock system that x/net/webdav sees for one request. It asks for
// a short lock on each name that it is going to change; the request's own
// conditions are looked at when it has it.
type leases struct{ s *session }

var _ webdav.LockSystem = leases{}

// Create gives a lease, until [session.release].
func (l leases) Create(now time.Time, details webdav.LockDetails) (string, error) {
	token, err := l.s.lease(now, clean(details.Root))
	l.s.fail(err)
	return token, err
}

// Unlock ends a client's lock. A lease stays: it is needed until the change is
// made, which is after x/net/webdav has ended.
func (l leases) Unlock(now time.Time, token string) error {
	if l.s.r.Method != "UNLOCK" {
		return nil
	}
	err := l.s.c.locks.unlock(now, token, l.s.name, l.s.caller.Name, l.s.caller.Role >= access.Admin)
	switch {
	case errors.Is(err, webdav.ErrNoSuchLock):
		l.s.fail(&refusal{http.StatusConflict, "no such lock is on " + l.s.name, "lock-token-matches-request-uri"})
	case errors.Is(err, webdav.ErrForbidden):
		l.s.fail(refuse(http.StatusForbidden, "the lock is somebody else's"))
	}
	return err
}

// Confirm is for If headers, which the session reads itself.
func (leases) Confirm(time.Time, string, string, ...webdav.Condition) (func(), error) {
	return nil, webdav.ErrConfirmationFailed
}

// Refresh is for LOCK, which the session answers itself.
func (leases) Refresh(time.Time, string, time.Duration) (webdav.LockDetails, error) {
	return webdav.LockDetails{}, webdav.ErrNoSuchLock
}

// lease claims a name for the request, and checks its conditions then, when
// nobody can change what they are about.
func (s *session) lease(now time.Time, name string) (string, error) {
	_, err := s.c.tree.look(name)
	s.fresh = err != nil
	c := claim{root: name, user: s.caller.Name, tokens: s.cond.tokens(), leases: s.leases}
	switch s.r.Method {
	case http.MethodDelete, "MOVE", "COPY":
		c.deep, c.member = true, true
	case http.MethodPut, "LOCK", "MKCOL":
		c.member = s.fresh
	}
	token, err := s.c.locks.claim(now, c)
	if errors.Is(err, webdav.ErrLocked) {
		return "", s.locked(now, err)
	}
	if err != nil {
		return "", err
	}
	s.leases = append(s.leases, token)
	return token, s.holds(now)
}

// locked says why a claim failed. Who sends conditions without any token takes
// the name for free, so these are what is wrong first of all.
func (s *session) locked(now time.Time, err error) error {
	if len(s.cond.lists) > 0 && len(s.cond.tokens()) == 0 {
		if err := s.holds(now); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: show the lock's token in If, or wait", err)
}

// release ends the request's leases.
func (s *session) release() { s.c.locks.release(s.leases) }
