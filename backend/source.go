package backend

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
)

// A Source is what a Put stores. It may be read more than once and by several
// goroutines, so that parts can be sent in parallel and sent again.
type Source struct {
	io.ReaderAt
	Size int64 // bytes
	// SHA256 is checked before the object appears; zero if not known.
	SHA256 [sha256.Size]byte
	// LocalPath is a file with the same bytes, or "". A store on the same file
	// system shares its blocks instead of copying them.
	LocalPath string
	// ContentType and CacheControl say how a web server should hand the object
	// out, in HTTP's words; "" is the store's default. Stores that keep no such
	// things ignore them.
	ContentType, CacheControl string
}

// Digested says whether the source's digest is known.
func (s Source) Digested() bool { return s.SHA256 != [sha256.Size]byte{} }

// A Cond is a condition on what a write replaces. The zero Cond is none.
type Cond struct {
	IfAbsent bool   // there must be no object
	IfMatch  string // the object must have this Version
}

// Check gives fs.ErrInvalid for a condition that nothing can meet.
func (c Cond) Check() error {
	if c.IfAbsent && c.IfMatch != "" {
		return fmt.Errorf("both absent and version %q wanted: %w", c.IfMatch, fs.ErrInvalid)
	}
	return nil
}

// CheckDelete is Check for a Delete, which has nothing to do with an absent object.
func (c Cond) CheckDelete() error {
	if c.IfAbsent {
		return fmt.Errorf("delete what must be absent: %w", fs.ErrInvalid)
	}
	return nil
}
