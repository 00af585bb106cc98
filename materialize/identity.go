package materialize

import (
	"crypto/rand"
	"os"
	"strings"
	"sync"
	"time"
)

// idAlphabet is Crockford's base 32: in ASCII order, so that ids sort by time,
// and without letters that look like digits.
const idAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// An id is eight digits of time, in ticks of 1/32 s since 1970 (enough for a
// thousand years), and three random ones, since processes don't talk.
const (
	idTimeDigits = 8
	idRandDigits = 3
	idTick       = time.Second / 32
)

// An idSource makes job ids that grow within a process.
type idSource struct {
	mu   sync.Mutex
	last int64 // guarded by mu: tick of the newest id
}

// next gives an id that was not given before.
func (s *idSource) next(now time.Time) string {
	s.mu.Lock()
	s.last = max(s.last+1, now.UnixNano()/int64(idTick))
	tick := s.last
	s.mu.Unlock()
	var id [idTimeDigits + idRandDigits]byte
	for i := idTimeDigits - 1; i >= 0; i-- {
		id[i] = idAlphabet[tick&31]
		tick >>= 5
	}
	_, _ = rand.Read(id[idTimeDigits:]) // never fails
	for i := idTimeDigits; i < len(id); i++ {
		id[i] = idAlphabet[id[i]&31]
	}
	return string(id[:])
}

// validID says whether s can be a job's id, and so a file name of ours.
func validID(s string) bool {
	return len(s) == idTimeDigits+idRandDigits && strings.Trim(s, idAlphabet) == ""
}

// validName says whether a work's key can be a file name.
func validName(s string) bool {
	const letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-."
	return s != "" && len(s) <= 200 && s[0] != '.' && strings.Trim(s, letters) == ""
}

// ownPID is this process.
func ownPID() int { return os.Getpid() }

// bootID names this boot of the machine, "" where there is no /proc.
func bootID() string {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}
