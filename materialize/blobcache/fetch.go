package blobcache

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"
)

// A fetch brings granules lo to before hi, which are claimed, from the origin.
type fetch struct {
	o      *object
	lo, hi int
	why    reason
}

// A reason says for whom bytes are fetched, and so what may be given up for them.
type reason int

const (
	forReader reason = iota // somebody waits for them
	forAhead                // somebody may want them soon
	forWhole                // all of the object is wanted
)

// buffers are those through which bytes go from origins to files.
var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

const bufferSize = 256 << 10

// demand makes sure that what a waiter lacks is being fetched, or tells it that
// nothing is. The last range is up to extend bytes longer. Fetches for readers
// don't wait for one another.
func (o *object) demand(w *waiter, extend int64) error {
	for {
		if err := o.clearDoubts(w.lo, w.hi); err != nil {
			return err
		}
		fetches, again, err := o.claimFor(w, extend)
		if err != nil {
			return err
		}
		for _, f := range fetches {
			if !o.cache.spawn(func() { _ = f.run() /* the waiters get the error */ }) {
				return errClosed
			}
		}
		if !again {
			return nil
		}
	}
}

// claimFor claims what a waiter lacks. again means that something is doubtful
// again since it was checked.
func (o *object) claimFor(w *waiter, extend int64) (fetches []*fetch, again bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failure != nil {
		return nil, false, o.failure
	}
	if o.have.all(w.lo, w.hi) {
		w.tell(nil)
		return nil, false, nil
	}
	for g := w.lo; g < w.hi; {
		if o.suspect.get(g) {
			return fetches, true, nil
		}
		limit := w.hi
		if f := o.claim(g, limit, forReader); f != nil {
			fetches = append(fetches, f)
			g = f.hi
			continue
		}
		g++
	}
	if n := len(fetches); n > 0 && fetches[n-1].hi == w.hi {
		o.extend(fetches[n-1], w.hi+int(extend/granule))
	}
	return fetches, false, nil
}

// claim takes the granules from lo on, up to hi, that nobody has or fetches; nil
// if lo is none. The caller holds mu and has the fetch run.
func (o *object) claim(lo, hi int, why reason) *fetch {
	f := &fetch{o: o, lo: lo, hi: lo, why: why}
	if o.failure == nil {
		o.extend(f, hi)
	}
	if f.hi == lo {
		return nil
	}
	o.cache.retain(o.entry)
	return f
}

// extend makes a claim longer, up to hi. The caller holds mu.
func (o *object) extend(f *fetch, hi int) {
	for hi = min(hi, o.granules); f.hi < hi && o.lacks(f.hi); f.hi++ {
		o.claimed.set(f.hi)
	}
}

// lacks says whether a granule is neither there nor on its way. The caller holds mu.
func (o *object) lacks(g int) bool {
	return !o.have.get(g) && !o.claimed.get(g) && !o.suspect.get(g)
}

// run fetches, and tells who waits for it how that went.
func (f *fetch) run() error {
	o := f.o
	defer o.cache.rest(o.entry)
	err := o.cache.reserve(o.entry, o.size(f.lo, f.hi), f.why, o.want.Name)
	if err == nil {
		if err = f.transfer(); err != nil {
			err = fmt.Errorf("fetch %s: %w", o.want.Name, err)
		}
		o.cache.unreserve(o.entry, o.size(f.lo, f.hi))
	}
	if errors.Is(err, ErrChanged) {
		o.cache.supersede(o, err)
	}
	f.settle(err)
	return err
}

// settle gives up what was not brought and tells its waiters why.
func (f *fetch) settle(err error) {
	o := f.o
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil && o.failure != nil {
		err = o.failure
	}
	for g := f.lo; g < f.hi; g++ {
		o.claimed.clear(g)
	}
	if f.why != forReader && errors.Is(err, errRoom) {
		// Room for a reader can be had where there is none for what may be read.
		o.lookAgain()
		return
	}
	o.wake(f.lo, f.hi, err)
}

// transfer asks the origin and copies what it gives.
func (f *fetch) transfer() (err error) {
	o := f.o
	if err := o.soil(); err != nil {
		return err
	}
	o.mu.Lock()
	from := o.origin
	o.mu.Unlock()
	ctx, cancel := context.WithCancel(o.ctx)
	defer cancel()
	body, err := from.Open(ctx, int64(f.lo)*granule, o.size(f.lo, f.hi))
	if err != nil {
		return err
	}
	err = f.copy(body)
	return errors.Join(err, body.Close())
}

// copy writes the body granule by granule. The last one counts only if the body
// ends where it should.
func (f *fetch) copy(body io.Reader) error {
	buf, ok := buffers.Get().(*[bufferSize]byte)
	if !ok {
		return errors.ErrUnsupported // never: the pool holds nothing else
	}
	defer buffers.Put(buf)
	n := 0
	for left := f.left(); ; left = f.left() {
		m, err := body.Read(buf[n:min(bufferSize, left)])
		n += m
		switch {
		case int64(n) == left:
			if err := ended(body); err != nil {
				return err
			}
			return f.put(buf[:n])
		case err != nil:
			return errors.Join(f.put(buf[:n/granule*granule]), interrupted(err))
		}
		if whole := n / granule * granule; whole > 0 {
			if err := f.put(buf[:whole]); err != nil {
				return err
			}
			n = copy(buf[:], buf[whole:n])
		}
	}
}

// left is how many bytes the origin has still to give.
func (f *fetch) left() int64 { return f.o.size(f.lo, f.hi) }

// put writes granules and goes on to the next.
func (f *fetch) put(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if err := f.o.write(p, int64(f.lo)*granule); err != nil {
		return err
	}
	f.lo += granules(int64(len(p)))
	return nil
}

// ended makes sure that a body is no longer than was asked for.
func ended(body io.Reader) error {
	var more [1]byte
	n, err := io.ReadFull(body, more[:])
	switch {
	case n > 0:
		return errLong
	case errors.Is(err, io.EOF):
		return nil
	}
	return err
}

// errLong means that an origin gave more bytes than were asked for.
var errLong = errors.New("the origin gives more bytes than asked for")

// interrupted makes an early end an error.
func interrupted(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("the origin gives fewer bytes than asked for: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// checksums gives those of the granules of p.
func checksums(p []byte) []uint32 {
	sums := make([]uint32, 0, granules(int64(len(p))))
	for len(p) > 0 {
		n := min(len(p), granule)
		sums = append(sums, crc32.Checksum(p[:n], castagnoli))
		p = p[n:]
	}
	return sums
}
