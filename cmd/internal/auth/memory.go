package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"
)

const (
	// rememberFor is how long a right password is remembered after its last use.
	rememberFor = 5 * time.Minute
	// rememberMost bounds the memory: about 100 KB.
	rememberMost = 1024
)

// A memory holds the digests of passwords that were right for a hash. Without it
// bcrypt would allow some twenty requests a second. When a file changes, what it
// says otherwise now is forgotten, as the hash is another one. Wrong passwords
// are not kept: they could push the right ones out. It is safe for concurrent
// use.
type memory struct {
	secret []byte
	mu     sync.Mutex
	until  map[digest]time.Time // guarded by mu
}

// A digest stands for a password in memory: only with the key, which never leaves
// the process, could passwords be tried on it.
type digest [sha256.Size]byte

func newMemory() *memory {
	return &memory{secret: randomBytes(), until: map[digest]time.Time{}}
}

// digest is that of a password and the hash that it is right for.
func (m *memory) digest(hash []byte, password string) (d digest) {
	mac := hmac.New(sha256.New, m.secret)
	size := binary.BigEndian.AppendUint64(nil, uint64(len(hash))) // keeps "ab"+"c" from being "a"+"bc"
	for _, part := range [][]byte{size, hash, []byte(password)} {
		mac.Write(part) // a hash takes everything
	}
	mac.Sum(d[:0])
	return d
}

// recall says whether the digest is known, and then keeps it for longer.
func (m *memory) recall(d digest, now time.Time) bool {
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
func (m *memory) keep(d digest, now time.Time) {
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
