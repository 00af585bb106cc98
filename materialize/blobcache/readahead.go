package blobcache

import "sync"

// What is fetched ahead of a reader. perf.md 4 has the measurements.
const (
	// nearby is how far from the end of the last read a read may be to belong to
	// the same stream: the kernel's own read-ahead changes the order.
	nearby = 4 << 20
	// headStart is what the first read of a stream from the beginning brings:
	// enough for most who only look at a header.
	headStart = 256 << 10
	// streams is how many streams of one reader are told apart.
	streams = 4
	// strideReads is how many reads at equal distances make a stride, and
	// strideAhead how many more are fetched ahead then.
	strideReads = 4
	strideAhead = 4
)

// window is how many bytes are fetched ahead of a reader who has read so many bytes
// in sequence, and part how many at once. It grows fast, but up to 8 MiB it is not
// more than was read: file(1) and its like stop there.
func window(read, quota int64) (window, part int64) {
	switch {
	case read < headStart:
		return 0, granule
	case read < 1<<20:
		window, part = 2*read, headStart
	case read < 8<<20:
		window = max(read, 2<<20)
		part = 1 << 20
	default:
		window = min(max(8*read, 16<<20), 128<<20)
		part = min(max(window/16, 1<<20), 8<<20)
	}
	// Readahead must not push out what it brought itself a moment ago.
	window = min(window, max(quota/8, granule))
	return window, min(part, window)
}

// A reader recognises how one blob is read.
type reader struct {
	o *object

	mu      sync.Mutex
	closed  bool
	streams []*stream // least recently used first
	last    int64     // offset of the last read
	stride  int64     // from the one before it
	repeats int       // reads at that distance, one after the other
	jumps   *strides
}

// A stream is a place where a blob is read in sequence.
type stream struct {
	r     *reader
	begin int64 // least offset
	end   int64 // greatest end
	seen  int64 // bytes of all reads
	ahead int   // granule after the last that was claimed ahead
}

// observe takes in a read of n bytes at off. It says how many bytes more are worth
// fetching along with it, and what is worth fetching after it, if anything.
func (r *reader) observe(off, n int64) (extend int64, then source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return 0, nil
	}
	if jumps := r.stridden(off, n); jumps != nil {
		return 0, jumps
	}
	s := r.streamAt(off)
	first := s.seen == 0
	s.begin, s.end, s.seen = min(s.begin, off), max(s.end, off+n), s.seen+n
	read := s.read()
	switch {
	case first && off == 0:
		return headStart - n, nil
	case first, read < headStart/2:
		return 0, nil
	}
	window, part := window(read, r.o.cache.cfg.Quota)
	extend = min(max(part, headStart), 1<<20) - n
	if window == 0 || s.end >= r.o.want.Size {
		return extend, nil
	}
	return extend, s
}

// stridden gives what to fetch ahead of a reader who jumps by equal distances; nil
// for others.
func (r *reader) stridden(off, n int64) source {
	d := off - r.last
	r.last = off
	if d != r.stride || max(d, -d) <= max(n, granule) {
		r.stride, r.repeats = d, 1
		return nil
	}
	if r.repeats++; r.repeats < strideReads-1 {
		return nil
	}
	r.jumps.set(off, d, n)
	return r.jumps
}

// streamAt gives the stream that a read belongs to, a new one if need be.
func (r *reader) streamAt(off int64) *stream {
	for i, s := range r.streams {
		if d := off - s.end; max(d, -d) <= nearby {
			r.streams = append(append(r.streams[:i], r.streams[i+1:]...), s)
			return s
		}
	}
	if len(r.streams) == streams {
		r.streams[0].seen = 0
		r.streams = r.streams[1:]
	}
	s := &stream{r: r, begin: off, end: off}
	r.streams = append(r.streams, s)
	return s
}

// close ends all reading ahead.
func (r *reader) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
}

// read is how many bytes were read in sequence. Reading the same bytes again and
// again does not count, and neither does what was jumped over.
func (s *stream) read() int64 { return min(s.seen, s.end-s.begin) }

var _ source = (*stream)(nil)

// next claims the next part within the window. Parts are whole, so that a reader
// who goes on by small steps does not make many small requests.
func (s *stream) next() *fetch {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	o := s.r.o
	window, part := window(s.read(), o.cache.cfg.Quota)
	if s.r.closed || window == 0 {
		return nil
	}
	limit, step := granules(min(s.end+window, o.want.Size)), int(part/granule)
	s.ahead = max(s.ahead, int(s.end/granule))
	o.mu.Lock()
	defer o.mu.Unlock()
	for ; s.ahead < limit; s.ahead++ {
		if !o.lacks(s.ahead) {
			continue
		}
		if limit < o.granules && limit-s.ahead < step {
			return nil
		}
		f := o.claim(s.ahead, s.ahead+step, forAhead)
		if f != nil {
			s.ahead = f.hi
		}
		return f
	}
	return nil
}

// done starts over after an error: who reads on will get it soon enough.
func (s *stream) done(err error) {
	if err == nil {
		return
	}
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	s.begin, s.seen, s.ahead = s.end, 0, 0
}
