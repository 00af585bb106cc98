package scratch

import (
	"sync"
	"time"
)

// A clock gives each new file a time of its own: an inode number is used again,
// and the kernel's clock stands still for milliseconds, so that two versions
// could look the same otherwise.
type clock struct {
	mu   sync.Mutex
	last time.Time // guarded by mu
}

func (c *clock) next() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now().Round(0)
	if !now.After(c.last) {
		now = c.last.Add(time.Nanosecond)
	}
	c.last = now
	return now
}
