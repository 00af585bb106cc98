package scratch

import (
	"crypto/rand"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/webdav"
)

// A lock keeps others from writing to a name: a client's, by LOCK, or a lease,
// which lasts as long as one request.
type lock struct {
	token  string
	root   string
	user   string
	deep   bool          // all below root is locked too
	shared bool          // others may lock it too, if shared
	owner  string        // XML that the client told about itself
	time   time.Duration // that the client may be silent; 0 for a lease
	ends   time.Time
}

func (l *lock) lease() bool { return l.time == 0 }

// covers says whether the lock is on the name.
func (l *lock) covers(name string) bool { return l.root == name || l.deep && within(name, l.root) }

// A claim is what a request wants to write to, and what it has for it.
type claim struct {
	root   string
	deep   bool     // with all below
	member bool     // root is made or deleted, which changes the collection that it is in
	user   string   // who claims: locks are of use to who made them only (RFC 4918 section 6.4)
	tokens []string // of locks, that the request shows
	leases []string // that the request has already
}

// touches says whether a lock has to do with the claim (RFC 4918 section 7).
func (c claim) touches(l *lock) bool {
	return l.covers(c.root) || c.deep && within(l.root, c.root) || c.member && !l.lease() && l.root == path.Dir(c.root)
}

// shows says whether the claim may pass the lock.
func (c claim) shows(l *lock) bool {
	return slices.Contains(c.leases, l.token) || slices.Contains(c.tokens, l.token) && l.user == c.user
}

const (
	// maxLocks bounds what clients can make the server remember.
	maxLocks = 10_000
	// defaultTimeout is for clients that don't say how long, maxTimeout for all:
	// a lock whose client died must not stay for ever.
	defaultTimeout = time.Hour
	maxTimeout     = 24 * time.Hour
)

// locks are all locks of a collection, in memory: a restart forgets them, as RFC
// 4918 section 6.6 allows. There are few, so each question looks at all.
type locks struct {
	mu  sync.Mutex
	all map[string]*lock // by token; guarded by mu
}

func newLocks() *locks { return &locks{all: map[string]*lock{}} }

// expire drops what has ended. The caller holds mu.
func (t *locks) expire(now time.Time) {
	for token, l := range t.all {
		if !l.lease() && !now.Before(l.ends) {
			delete(t.all, token)
		}
	}
}

// add remembers a lock. The caller holds mu.
func (t *locks) add(l *lock) (string, error) {
	if len(t.all) >= maxLocks {
		return "", errManyLocks
	}
	l.token = newToken()
	t.all[l.token] = l
	return l.token, nil
}

// claim gives a lease to a request that may write, or [webdav.ErrLocked]: of
// shared locks it has to show one, of exclusive ones each.
func (t *locks) claim(now time.Time, c claim) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire(now)
	shared := map[string]bool{} // by root, whether one is shown
	for _, l := range t.all {
		switch {
		case !c.touches(l):
		case l.shared:
			shared[l.root] = shared[l.root] || c.shows(l)
		case !c.shows(l):
			return "", fmt.Errorf("%s: %w", l.root, webdav.ErrLocked)
		}
	}
	for root, shown := range shared {
		if !shown {
			return "", fmt.Errorf("%s: %w", root, webdav.ErrLocked)
		}
	}
	return t.add(&lock{root: c.root, deep: c.deep, user: c.user})
}

// lock makes a client's lock unless another is in its way, even one of the same
// client. The leases are of the request itself.
func (t *locks) lock(now time.Time, l *lock, leases []string) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire(now)
	c := claim{root: l.root, deep: l.deep}
	for _, other := range t.all {
		if c.touches(other) && (!l.shared || !other.shared) && !slices.Contains(leases, other.token) {
			return "", fmt.Errorf("%s: %w", other.root, webdav.ErrLocked)
		}
	}
	l.ends = now.Add(l.time)
	return t.add(l)
}

// refresh lets the lock on the name last longer.
func (t *locks) refresh(now time.Time, token, name, user string, d time.Duration) (lock, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire(now)
	l := t.all[token]
	if l == nil || l.lease() || !l.covers(name) || l.user != user {
		return lock{}, webdav.ErrNoSuchLock
	}
	l.time, l.ends = d, now.Add(d)
	return *l, nil
}

// unlock ends a lock that is on the name. Somebody else's needs force:
// [webdav.ErrForbidden].
func (t *locks) unlock(now time.Time, token, name, user string, force bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire(now)
	l := t.all[token]
	switch {
	case l == nil || l.lease() || !l.covers(name):
		return webdav.ErrNoSuchLock
	case l.user != user && !force:
		return webdav.ErrForbidden
	}
	delete(t.all, token)
	return nil
}

// release ends leases.
func (t *locks) release(leases []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, token := range leases {
		delete(t.all, token)
	}
}

// forget ends the locks of what is no more (RFC 4918 section 9.6).
func (t *locks) forget(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for token, l := range t.all {
		if !l.lease() && within(l.root, name) {
			delete(t.all, token)
		}
	}
}

// on gives the clients' locks on a name, in the order of their tokens.
func (t *locks) on(now time.Time, name string) []lock {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire(now)
	var found []lock
	for _, l := range t.all {
		if !l.lease() && l.covers(name) {
			found = append(found, *l)
		}
	}
	slices.SortFunc(found, func(a, b lock) int { return strings.Compare(a.token, b.token) })
	return found
}

// newToken gives a URI that nobody guesses (RFC 4918 section 6.5): the UUID is random, version 4.
func newToken() string {
	var u [16]byte
	// Read never fails, package crypto/rand.
	_, _ = rand.Read(u[:])
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
