package blobcache_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"cosafs/materialize/blobcache"
)

var errFault = errors.New("a fault of the origin")

// faulty gives answers that fail now and then, in every way an origin may fail.
func faulty(seed uint64, percent int) answer {
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(seed, 0))
	return func(_ context.Context, r request, body io.Reader) (io.Reader, error) {
		mu.Lock()
		roll, cut := rng.IntN(100), rng.Int64N(r.n)
		mu.Unlock()
		switch {
		case roll >= percent:
			return body, nil
		case roll%4 == 0:
			return nil, errFault
		case roll%4 == 1:
			return io.MultiReader(io.LimitReader(body, cut), iotest.ErrReader(errFault)), nil
		case roll%4 == 2:
			return io.LimitReader(body, cut), nil
		}
		return io.MultiReader(body, bytes.NewReader([]byte{0})), nil
	}
}

// TestRandomReaders: whatever fails, is evicted, cancelled, or dies: a read that
// succeeds gives the right bytes. The objects are verified as well.
func TestRandomReaders(t *testing.T) {
	for _, tc := range []struct {
		name    string
		quota   int64
		percent int
	}{
		{"all fits", 100 * mib, 0}, {"faults", 100 * mib, 25}, {"little room", 2 * mib, 0}, {"little room and faults", 2 * mib, 25},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			var list []*origin
			for i := range uint64(3) {
				src := &origin{content: content{seed: 120 + i, size: 3*mib + 1000*int64(i)}}
				src.open, src.sum = faulty(i, tc.percent), src.sha256()
				list = append(list, src)
			}
			for round := range uint64(2) { // the directory stays
				c := open(t, blobcache.Config{Dir: dir, Quota: tc.quota, Parallel: 4})
				var readers sync.WaitGroup
				for i := range uint64(8) {
					readers.Go(func() { wander(t, c, list, rand.New(rand.NewPCG(round, i))) })
				}
				readers.Wait()
				closeAll(t, c)
			}
		})
	}
}

// wander opens objects at random and reads them in various ways.
func wander(t *testing.T, c *blobcache.Cache, list []*origin, rng *rand.Rand) {
	t.Helper()
	for range 6 {
		src := list[rng.IntN(len(list))]
		want := src.object()
		if rng.IntN(2) == 0 {
			want.SHA256 = src.sum
		}
		b, err := c.Get(t.Context(), want, src)
		if err != nil {
			t.Errorf("get: %v", err)
			return
		}
		if rng.IntN(6) == 0 {
			_ = c.Prefetch(t.Context(), want, src, nil) // may fail, of course
		}
		for _, r := range habit(rng, src.size) {
			tryRead(t, b, src.content, r, rng)
		}
		closeAll(t, b)
	}
}

// habit gives the reads of some kind of reader.
func habit(rng *rand.Rand, size int64) []read {
	switch rng.IntN(3) {
	case 0:
		return sequence(rng.Int64N(size/2), size/2, 1+rng.Int64N(mib))
	case 1:
		return strided(rng.Int64N(size/4), 1+rng.Int64N(size/10), 1+rng.Int64N(100*kib), 6)
	}
	var reads []read
	for range 20 {
		reads = append(reads, read{rng.Int64N(size), 1 + rng.Int64N(200*kib)})
	}
	return reads
}

// tryRead reads, with a ctx that may end soon.
func tryRead(t *testing.T, b *blobcache.Blob, src content, r read, rng *rand.Rand) {
	t.Helper()
	ctx, cancel := t.Context(), context.CancelFunc(func() {})
	if rng.IntN(10) == 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(rng.IntN(1000))*time.Microsecond)
	}
	defer cancel()
	p := make([]byte, r.n)
	n, err := b.ReadAt(ctx, p, r.off)
	if !bytes.Equal(p[:n], src.bytes(r.off, int64(n))) {
		t.Errorf("read of %d bytes at %d: wrong bytes", r.n, r.off)
	}
	if want := min(r.n, max(src.size-r.off, 0)); err == nil && int64(n) != want || errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && int64(n) != want {
		t.Errorf("read of %d bytes at %d: %d, %v", r.n, r.off, n, err)
	}
}

// TestTwoVersionsNeverMix: the object changes while it is read.
func TestTwoVersionsNeverMix(t *testing.T) {
	c := open(t, blobcache.Config{})
	old := &origin{content: content{seed: 130, size: 8 * mib}}
	var mu sync.Mutex
	left := 5
	old.open = func(_ context.Context, _ request, body io.Reader) (io.Reader, error) {
		mu.Lock()
		defer mu.Unlock()
		if left--; left < 0 {
			return nil, blobcache.ErrChanged
		}
		return body, nil
	}
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			b := get(t, c, old.object(), old)
			defer closeAll(t, b)
			for _, r := range sequence(0, old.size, 100*kib) {
				p := make([]byte, r.n)
				n, err := b.ReadAt(t.Context(), p, r.off)
				if !bytes.Equal(p[:n], old.bytes(r.off, int64(n))) {
					t.Error("wrong bytes")
				}
				if err != nil && !errors.Is(err, blobcache.ErrChanged) {
					t.Errorf("read: %v", err)
				}
				if err != nil {
					return
				}
			}
			t.Error("read to the end of a version that is gone")
		})
	}
	readers.Wait()
}

func TestAnotherVersionEndsTheObject(t *testing.T) {
	src := &origin{content: content{seed: 12, size: 8 * mib}}
	c := open(t, blobcache.Config{})
	b := get(t, c, src.object(), src)
	defer closeAll(t, b)
	check(t, b, src.content, 4*mib, 10)
	src.answer(func(context.Context, request, io.Reader) (io.Reader, error) { return nil, blobcache.ErrChanged })
	for _, off := range []int64{6 * mib, 4 * mib} { // also what was there
		if _, err := b.ReadAt(t.Context(), make([]byte, 10), off); !errors.Is(err, blobcache.ErrChanged) {
			t.Errorf("read at %d: %v", off, err)
		}
	}
	if st := c.State(src.object().ID); st.Present != 0 {
		t.Errorf("state: %+v", st)
	}
	if u := c.Usage(); u.Bytes != 0 || u.Objects != 0 {
		t.Errorf("usage: %+v", u)
	}
	// Whoever opens it anew asks anew.
	src.answer(nil)
	again := get(t, c, src.object(), src)
	defer closeAll(t, again)
	check(t, again, src.content, 4*mib, 10)
}
