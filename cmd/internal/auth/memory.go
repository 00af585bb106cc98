package auth

import (
	"crypto/sha256"
	"sync"
	"time"
)

const (
	// rememberFor is how long a right password is remembered after its last use. It is
	// right until its file changes, and then the whole memory goes; the time bounds how
	// long unused digests lie in memory.
	rememberFor = 5 * time.Minute
	// rememberMost bounds the memory: about 100 KB.
	rememberMost = 1024
)

// A memory holds the digests of passwords that were right. Without it bcrypt
// would allow some twenty requests a second. Wrong ones are not kept: they
// could push the right ones out. It is safe for concurrent use.
type memory struct {
	mu    sync.Mutex
	until map[[sha256.Size]byte]time.Time // guarded by mu
}

func newMemory() *memory { return &memory{until: map[[sha256.Size]byte]time.Time{}} }

// recall says whether the digest is known, and then keeps it for longer.
func (m *memory) recall(d [sha256.Size]byte, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	until, ok := m.until[d]
	if !ok || now.After(until) {
		delete(m.until, d)
		return false
	}
	m.until[d] = now.Add(rememberFor)
	return true
}

// keep notes a digest. Where there is no room left, what expired goes, else any
// other: its owner's next request costs one bcrypt.
func (m *memory) keep(d [sha256.Size]byte, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.until) >= rememberMost {
		m.makeRoom(now)
	}
	m.until[d] = now.Add(rememberFor)
}

func (m *memory) makeRoom(now time.Time) {
	for d, until := range m.until {
		if now.After(until) {
			delete(m.until, d)
		}
	}
	for d := range m.until {
		if len(m.until) < rememberMost {
			return
		}
		delete(m.until, d)
	}
}
