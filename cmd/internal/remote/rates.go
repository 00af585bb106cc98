package remote

import (
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"cosafs/vfs/access"
)

const (
	// clientsMost bounds how many clients' rates are remembered.
	clientsMost = 4096
	// burstTime is how long a client may save up requests; burstLeast lets one that
	// opens a directory with many files do so even where the rate is low.
	burstTime  = 5 * time.Second
	burstLeast = 20
)

// rates bounds the requests a second of each client. It is safe for concurrent use.
type rates struct {
	limit rate.Limit
	burst int
	now   func() time.Time

	mu      sync.Mutex
	clients map[string]*rate.Limiter // by keyOf; guarded by mu
	swept   time.Time                // when the idle were last forgotten; guarded by mu
}

func newRates(perSecond float64) *rates {
	burst := max(burstLeast, int(math.Ceil(perSecond*burstTime.Seconds())))
	return &rates{limit: rate.Limit(perSecond), burst: burst, now: time.Now, clients: map[string]*rate.Limiter{}}
}

// wrap answers those who ask too often: 429 with Retry-After. Callers have to be
// known: who logged in is counted by his name, wherever he comes from.
func (l *rates) wrap(next http.Handler) http.Handler {
	if l.limit <= 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if wait := l.take(keyOf(access.Of(r.Context()))); wait > 0 {
			retryLater(w, http.StatusTooManyRequests, "Too many requests. Wait, then go on.", wait)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// take counts a request, or gives the seconds until there may be one.
func (l *rates) take(key string) int {
	now := l.now()
	bucket := l.bucket(key, now)
	if bucket.AllowN(now, 1) {
		return 0
	}
	missing := (1 - bucket.TokensAt(now)) / float64(l.limit)
	return max(1, int(math.Ceil(missing)))
}

func (l *rates) bucket(key string, now time.Time) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b := l.clients[key]; b != nil {
		return b
	}
	if len(l.clients) >= clientsMost {
		l.forget(now)
	}
	b := rate.NewLimiter(l.limit, l.burst)
	l.clients[key] = b
	return b
}

// forget makes room: whose bucket is full is as good as new. Where nobody's is,
// somebody is forgiven. All are looked at once a second at most, so that a flood
// of new clients costs little for each.
func (l *rates) forget(now time.Time) {
	if now.Sub(l.swept) >= time.Second {
		l.swept = now
		for key, b := range l.clients {
			if b.TokensAt(now) >= float64(l.burst) {
				delete(l.clients, key)
			}
		}
	}
	for key := range l.clients {
		if len(l.clients) < clientsMost {
			return
		}
		delete(l.clients, key)
	}
}

// keyOf tells clients apart.
func keyOf(c access.Caller) string {
	if c.Name != "" {
		return "name " + c.Name
	}
	return access.Network(c.Addr)
}

// retryLater answers with a status and the seconds until a client should come back.
func retryLater(w http.ResponseWriter, status int, text string, seconds int) {
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, text, status)
}
