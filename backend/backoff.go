package backend

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// A Policy says how often and how long to try again. Zero fields take the
// values named.
type Policy struct {
	Tries  int           // of one call, the first included; 5
	First  time.Duration // wait before the second try, then twice as long each time; 100 ms
	Max    time.Duration // longest single wait; 5 s
	Budget time.Duration // no try starts later than this after the first; 1 min
}

func (p Policy) withDefaults() Policy {
	if p.Tries == 0 {
		p.Tries = 5
	}
	if p.First == 0 {
		p.First = 100 * time.Millisecond
	}
	if p.Max == 0 {
		p.Max = 5 * time.Second
	}
	if p.Budget == 0 {
		p.Budget = time.Minute
	}
	return p
}

func (r *retrying) do(ctx context.Context, f func() error) error {
	b := r.backoff()
	for {
		err := f()
		if err == nil {
			return nil
		}
		if err := b.wait(ctx, err); err != nil {
			return err
		}
	}
}

func (r *retrying) backoff() *backoff {
	return &backoff{p: r.p, next: r.p.First, start: time.Now(), tries: 1}
}

// A backoff counts the tries of one call.
type backoff struct {
	p     Policy
	next  time.Duration
	start time.Time
	tries int
}

// wait returns nil when it is time to try again after err, else the error to
// give up with.
func (b *backoff) wait(ctx context.Context, err error) error {
	delay := b.next/2 + rand.N(b.next) // spread, lest clients come back in step
	late := time.Since(b.start)+delay > b.p.Budget
	switch {
	case ctx.Err() != nil, Final(err):
		return err
	case b.tries >= b.p.Tries, late:
		return fmt.Errorf("after %d tries: %w", b.tries, err)
	}
	t := time.NewTimer(delay)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("%w, while waiting to try again after: %w", ctx.Err(), err)
	case <-t.C:
	}
	b.tries, b.next = b.tries+1, min(2*b.next, b.p.Max)
	return nil
}
