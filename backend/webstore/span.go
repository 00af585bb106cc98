package webstore

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// errNoSize means that an answer does not tell how long an object is.
var errNoSize = fmt.Errorf("the server does not say how long it is: %w", errors.ErrUnsupported)

// maxSkip is how many bytes before a range are read and thrown away, if a server
// gives them.
const maxSkip = 64 << 20

// A span is the part of an object that an answer holds: bytes first to last, of
// size.
type span struct{ first, last, size int64 }

// spanOf reads off an answer what it holds. One without Content-Range holds all,
// whatever was asked for.
func spanOf(res *http.Response) (span, error) {
	if res.StatusCode == http.StatusPartialContent {
		return parseContentRange(res.Header.Get("Content-Range"))
	}
	if res.ContentLength < 0 {
		return span{}, errNoSize
	}
	return span{last: res.ContentLength - 1, size: res.ContentLength}, nil
}

// parseContentRange reads "bytes FIRST-LAST/SIZE" (RFC 9110, 14.4).
func parseContentRange(s string) (span, error) {
	unit, rest, _ := strings.Cut(s, " ")
	part, size, _ := strings.Cut(rest, "/")
	first, last, _ := strings.Cut(part, "-")
	if size == "*" {
		return span{}, errNoSize
	}
	var sp span
	for _, n := range []struct {
		to   *int64
		text string
	}{{&sp.first, first}, {&sp.last, last}, {&sp.size, size}} {
		u, err := strconv.ParseUint(n.text, 10, 63) // no signs
		if err != nil {
			return span{}, fmt.Errorf("the server answers with a range of no form known, %q", s)
		}
		*n.to = int64(u)
	}
	if !strings.EqualFold(unit, "bytes") || sp.first > sp.last || sp.last >= sp.size {
		return span{}, fmt.Errorf("the server answers with a range that can't be, %q", s)
	}
	return sp, nil
}

// skip says how many bytes of an answer come before those wanted: n at off. What
// the answer holds must be just these, or the whole object.
func (sp span) skip(off, n int64) (int64, error) {
	whole := sp.first == 0 && sp.last == sp.size-1
	switch {
	case sp.first == off && sp.last-sp.first+1 == n:
		return 0, nil
	case !whole:
		return 0, fmt.Errorf("the server gives bytes %d to %d for %d bytes at %d", sp.first, sp.last, n, off)
	case off > maxSkip:
		return 0, fmt.Errorf("the server ignores ranges, so that all %d bytes before this one would have to be read: %w", off, errors.ErrUnsupported)
	}
	return off, nil
}

// A skipper is a body with bytes before those that are wanted.
type skipper struct {
	io.ReadCloser
	before int64
}

// Read implements [io.Reader].
func (s *skipper) Read(p []byte) (int, error) {
	if s.before > 0 {
		n, err := io.CopyN(io.Discard, s.ReadCloser, s.before)
		s.before -= n
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return 0, err
		}
	}
	return s.ReadCloser.Read(p)
}
