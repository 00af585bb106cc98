package backend

import (
	"errors"
	"io/fs"
)

// Sentinels beyond those of io/fs.
var (
	// ErrChanged means that the object is no longer the version asked for.
	ErrChanged = errors.New("object changed")
	// ErrRange means that a range reaches past the object's end.
	ErrRange = errors.New("range past the end of the object")
	// ErrCondition means that a write's condition did not hold; nothing was written.
	ErrCondition = errors.New("condition does not hold")
	// ErrDigest means that bytes to be stored do not have the digest given for them.
	ErrDigest = errors.New("bytes do not have the given sha256")
)

// Final says whether err is an answer rather than a mishap: asking the same
// again would give the same.
func Final(err error) bool {
	for _, s := range []error{
		fs.ErrNotExist, fs.ErrExist, fs.ErrPermission, fs.ErrInvalid, fs.ErrClosed,
		errors.ErrUnsupported, ErrChanged, ErrRange, ErrCondition, ErrDigest,
	} {
		if errors.Is(err, s) {
			return true
		}
	}
	return false
}
