package stream

import (
	"errors"
	"hash"
	"io"
)

// A metered reader counts and hashes what is read through it. It keeps its error,
// because a program that reads it sees only an end.
type metered struct {
	r    io.Reader
	sum  hash.Hash
	tell func(done int64) // never blocks
	done int64
	err  error // but for io.EOF
}

// Read implements [io.Reader].
func (m *metered) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	_, _ = m.sum.Write(p[:n]) // a hash takes everything
	if m.done += int64(n); n > 0 {
		m.tell(m.done)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		m.err = err
	}
	return n, err
}
