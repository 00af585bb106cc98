package s3store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/aws/aws-sdk-go-v2/aws"

	"cosafs/backend"
)

// A probeState is what was found out about a store's conditions, once for the
// store's life.
type probeState struct {
	lock  lock // guards what follows; held while probing
	known bool
	found faults
}

func newProbeState() probeState { return probeState{lock: newLock()} }

// faults say what of a store's conditions does not hold, "" if they do.
type faults struct{ write, remove string }

// faults probes the store, or remembers. It fails if the probe had no clear
// result, and then the next call probes again.
func (s *Store) faults(ctx context.Context) (faults, error) {
	if err := s.probed.lock.take(ctx); err != nil {
		return faults{}, err
	}
	defer s.probed.lock.release()
	if s.probed.known {
		return s.probed.found, nil
	}
	found, err := s.probe(ctx)
	if err != nil {
		return faults{}, fmt.Errorf("find out whether the store keeps conditions: %w", err)
	}
	s.probed.known, s.probed.found = true, found
	return found, nil
}

// CheckConditions says, with errors.ErrUnsupported, that conditional writes can't be
// had of this store. Who is about to send gigabytes before the first of them
// asks. The first call tries it on side objects.
func (s *Store) CheckConditions(ctx context.Context) error {
	return s.promises(ctx, backend.Cond{IfAbsent: true})
}

// promises fails if a Put with cond can't have what it wants of this store.
func (s *Store) promises(ctx context.Context, cond backend.Cond) error {
	return s.allowed(ctx, cond, faults.ofWrite)
}

func (s *Store) promisesDelete(ctx context.Context, cond backend.Cond) error {
	return s.allowed(ctx, cond, faults.ofRemove)
}

func (f faults) ofWrite() string  { return f.write }
func (f faults) ofRemove() string { return f.remove }

func (s *Store) allowed(ctx context.Context, cond backend.Cond, which func(faults) string) error {
	if cond == (backend.Cond{}) {
		return nil
	}
	found, err := s.faults(ctx)
	if err != nil || which(found) == "" || s.cfg.SinglePublisher {
		return err
	}
	return fmt.Errorf("%s ignores conditional writes: %s; two publishers could undo each other's work there, "+
		"so say that there is only one (single publisher) or use another store: %w", s, which(found), errors.ErrUnsupported)
}

// commit runs the request that makes an object appear, under its condition. send is
// told what of the condition the store itself has to check.
func (s *Store) commit(ctx context.Context, key backend.Key, cond backend.Cond, send func(backend.Cond) error) error {
	return s.under(ctx, key, cond, faults.ofWrite, send)
}

// commitDelete is commit for the request that makes one disappear.
func (s *Store) commitDelete(ctx context.Context, key backend.Key, cond backend.Cond, send func(backend.Cond) error) error {
	return s.under(ctx, key, cond, faults.ofRemove, send)
}

func (s *Store) under(ctx context.Context, key backend.Key, cond backend.Cond, which func(faults) string, send func(backend.Cond) error) error {
	if cond == (backend.Cond{}) {
		return send(cond)
	}
	found, err := s.faults(ctx)
	if err != nil {
		return err
	}
	if which(found) == "" {
		return missingIsNoMatch(cond, send(cond))
	}
	if err := s.turn.take(ctx); err != nil {
		return err
	}
	defer s.turn.release()
	if err := s.holds(ctx, key, cond); err != nil {
		return err
	}
	return send(backend.Cond{})
}

// missingIsNoMatch translates the 404 by which stores say that there is no object
// for If-Match to match.
func missingIsNoMatch(cond backend.Cond, err error) error {
	if cond.IfMatch != "" && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no object: %w", backend.ErrCondition)
	}
	return err
}

// holds says whether a condition holds now.
func (s *Store) holds(ctx context.Context, key backend.Key, cond backend.Cond) error {
	info, err := s.stat(ctx, key)
	absent := errors.Is(err, fs.ErrNotExist)
	switch {
	case err != nil && !absent:
		return err
	case cond.IfAbsent && !absent:
		return backend.ErrCondition
	case cond.IfMatch != "" && (absent || info.Version != cond.IfMatch):
		return backend.ErrCondition
	}
	return nil
}

// conditions gives a condition's headers.
func conditions(c backend.Cond) (ifMatch, ifNoneMatch *string) {
	if c.IfAbsent {
		ifNoneMatch = aws.String("*")
	}
	return etag(c.IfMatch), ifNoneMatch
}
