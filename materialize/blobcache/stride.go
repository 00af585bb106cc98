package blobcache

import "sync"

// strides are the reads that a reader who jumps by equal distances is expected to
// do next.
type strides struct {
	o *object

	mu    sync.Mutex
	spans [][2]int // granules
}

var _ source = (*strides)(nil)

// set expects reads of n bytes at the given distance from off.
func (s *strides) set(off, distance, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spans = s.spans[:0]
	for range strideAhead {
		off += distance
		if off < 0 || off >= s.o.want.Size {
			return
		}
		lo, hi := span(off, int(min(n, s.o.want.Size-off)))
		s.spans = append(s.spans, [2]int{lo, hi})
	}
}

// next claims what is missing of the next read, and only that.
func (s *strides) next() *fetch {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.o.mu.Lock()
	defer s.o.mu.Unlock()
	for len(s.spans) > 0 {
		lo, hi := s.spans[0][0], s.spans[0][1]
		s.spans = s.spans[1:]
		for ; lo < hi; lo++ {
			if f := s.o.claim(lo, hi, forAhead); f != nil {
				s.spans = append([][2]int{{f.hi, hi}}, s.spans...)
				return f
			}
		}
	}
	return nil
}

// done forgets the rest after an error.
func (s *strides) done(err error) {
	if err == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spans = nil
}
