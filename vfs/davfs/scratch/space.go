package scratch

import (
	"fmt"
	"net/http"
	"sync"

	"cosafs/materialize"
)

// A space counts the bytes of a collection. What grows counts from its first
// byte on, so that many uploads together stay below the quota; what it replaces
// counts until then, since both are on the disk.
type space struct {
	quota int64
	mu    sync.Mutex
	used  int64 // guarded by mu
}

// take counts n bytes more, or none of them if they don't fit.
func (s *space) take(n int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > s.quota-s.used {
		return materialize.Fail(materialize.ClassSpace, "store",
			"delete files of the collection, or ask whoever serves it for more",
			fmt.Errorf("%d bytes more than the %d of %d that are used: %w", n, s.used, s.quota, errFull))
	}
	s.used += n
	return nil
}

// give counts n bytes less.
func (s *space) give(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = max(0, s.used-n)
}

// fits says whether a body of n bytes (-1 = nobody knows) could be stored.
func (t *tree) fits(n int64) error {
	if n > t.max {
		return fmt.Errorf("%d bytes, of at most %d: %w", n, t.max, errTooLarge)
	}
	if n <= 0 {
		return nil
	}
	if err := t.space.take(n); err != nil {
		return err
	}
	t.space.give(n)
	return nil
}

// A budget is what one request has counted of the space. It is not safe for
// concurrent use.
type budget struct{ taken, used int64 }

// reserve counts bytes before they come, so that two uploads don't find out at
// their ends that only one of them has room.
func (b *budget) reserve(s *space, n int64) error {
	if n <= 0 {
		return nil
	}
	if err := s.take(n); err != nil {
		return err
	}
	b.taken += n
	return nil
}

// spend uses n bytes, reserved or not.
func (b *budget) spend(s *space, n int64) error {
	if more := b.used + n - b.taken; more > 0 {
		if err := b.reserve(s, more); err != nil {
			return err
		}
	}
	b.used += n
	return nil
}

// settle gives back what was not used; all if nothing was kept.
func (b *budget) settle(s *space, kept bool) {
	if !kept {
		b.used = 0
	}
	s.give(b.taken - b.used)
	*b = budget{}
}

// announced is how long the body says that it is; -1 if it does not.
func announced(r *http.Request) int64 {
	if r.Method == http.MethodPut {
		return r.ContentLength
	}
	return -1
}
