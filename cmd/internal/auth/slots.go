package auth

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
)

// queueMost is how many requests wait for a slot at most. The last of them waits
// for some seconds.
const queueMost = 64

// errBusy means that too many wait for a slot.
var errBusy = errors.New("too many logins at once")

// slots lets passwords be checked on half of the processors at most: a flood of
// wrong ones leaves the others to those who are logged in.
type slots struct {
	free    chan struct{}
	waiting atomic.Int64
}

func newSlots() *slots {
	return &slots{free: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))}
}

// take waits for a slot, which its caller has to give back. It is errBusy at
// once where too many wait, else the ctx's error.
func (s *slots) take(ctx context.Context) error {
	defer s.waiting.Add(-1)
	if s.waiting.Add(1) > queueMost {
		return errBusy
	}
	select {
	case s.free <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *slots) giveBack() { <-s.free }
