package backend

import (
	"fmt"
	"io/fs"
)

// ToEnd as a length means everything from the offset on.
const ToEnd = -1

// A Range is a part of an object, in bytes. Range{Len: ToEnd} is all of it;
// the zero Range is empty.
type Range struct {
	Off, Len int64
}

// Within gives the range's length in an object of size bytes. A range that
// reaches past the end is ErrRange: a short answer would look like a whole one.
// A negative offset is fs.ErrInvalid.
func (r Range) Within(size int64) (int64, error) {
	switch {
	case r.Off < 0:
		return 0, fmt.Errorf("offset %d: %w", r.Off, fs.ErrInvalid)
	case r.Off > size, r.Len > size-r.Off:
		return 0, fmt.Errorf("%d bytes at %d of %d: %w", r.Len, r.Off, size, ErrRange)
	case r.Len < 0:
		return size - r.Off, nil
	}
	return r.Len, nil
}
