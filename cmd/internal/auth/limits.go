package auth

import (
	"hash/maphash"
	"time"

	"golang.org/x/time/rate"
)

const (
	// freeFailures is how many wrong passwords an address, or a name, may send at
	// once: enough for a client that opens many connections before it asks.
	freeFailures = 20
	// failureEvery is how long it takes to be allowed another one.
	failureEvery = 3 * time.Second
	// pails bounds the memory: keys that share a pail share their failures.
	pails = 1024
)

// limits counts failures by key, and says who has to wait before he tries
// again. It has a fixed size, whatever is sent, and forgets nothing in a flood.
// It is safe for concurrent use.
type limits struct {
	seed  maphash.Seed // random, so that nobody can aim at another's pail
	pails []*rate.Limiter
}

func newLimits() *limits {
	l := &limits{seed: maphash.MakeSeed(), pails: make([]*rate.Limiter, pails)}
	for i := range l.pails {
		l.pails[i] = rate.NewLimiter(rate.Every(failureEvery), freeFailures)
	}
	return l
}

func (l *limits) pail(key string) *rate.Limiter {
	return l.pails[maphash.String(l.seed, key)%pails]
}

// wait gives the time until the key may fail again; 0 = now.
func (l *limits) wait(key string, now time.Time) time.Duration {
	missing := 1 - l.pail(key).TokensAt(now)
	return max(0, time.Duration(missing*float64(failureEvery)))
}

// charge counts a failure.
func (l *limits) charge(key string, now time.Time) { l.pail(key).AllowN(now, 1) }
