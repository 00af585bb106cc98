package backendtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"cosafs/backend"
)

func testPut(t *testing.T, b bench) {
	for i, data := range [][]byte{pattern(1, big), pattern(2, 10), nil, pattern(3, 10)} {
		info := b.put(t, "new/dir/file", data)
		b.want(t, "new/dir/file", data)
		st, err := b.Stat(t.Context(), "new/dir/file")
		if err != nil || st.Version != info.Version || info.Size != int64(len(data)) || info.Key != "new/dir/file" {
			t.Errorf("Put %d = %+v; Stat = %+v, %v", i, info, st, err)
		}
	}
}

func testPutShort(t *testing.T, b bench) {
	src := source([]byte("short"))
	src.Size++
	_, err := b.writer(t).Put(t.Context(), "dir/file", src, backend.Cond{})
	wantErr(t, "Put", err, io.ErrUnexpectedEOF)
	b.wantNothing(t)
}

func testPutDigest(t *testing.T, b bench) {
	src := source([]byte("good"))
	src.ReaderAt = bytes.NewReader([]byte("evil"))
	_, err := b.writer(t).Put(t.Context(), "dir/file", src, backend.Cond{})
	wantErr(t, "Put", err, backend.ErrDigest)
	b.wantNothing(t)

	b.put(t, "dir/file", []byte("old"))
	_, err = b.writer(t).Put(t.Context(), "dir/file", src, backend.Cond{})
	wantErr(t, "Put over a file", err, backend.ErrDigest)
	b.want(t, "dir/file", []byte("old"))
}

func testPutCancelled(t *testing.T, b bench) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.writer(t).Put(ctx, "dir/file", source([]byte("x")), backend.Cond{})
	wantErr(t, "Put", err, context.Canceled)
	b.wantNothing(t)
}

// wantNothing checks that a Put that failed left nothing to see.
func (b bench) wantNothing(t *testing.T) {
	t.Helper()
	b.wantAbsent(t, "dir/file")
	if !b.h.Properties.Lists {
		return
	}
	if got := b.names(t, ""); len(got) != 0 {
		t.Errorf("List = %q; want nothing", got)
	}
}

func testPutUnderReaders(t *testing.T, b bench) {
	const size = 100_000
	uniform := func(c byte) []byte { return bytes.Repeat([]byte{c}, size) }
	b.put(t, "file", uniform('0'))
	var wg sync.WaitGroup
	var done atomic.Bool
	for range 4 {
		wg.Go(func() {
			for !done.Load() {
				got, err := b.all(t, "file", "")
				if err != nil || !bytes.Equal(got, uniform(got[0])) {
					t.Errorf("read %d bytes, %v; want %d of one kind", len(got), err, size)
					return
				}
			}
		})
	}
	for i := range 20 {
		b.put(t, "file", uniform('a'+byte(i)))
	}
	done.Store(true)
	wg.Wait()
}

func testDelete(t *testing.T, b bench) {
	w := b.writer(t)
	b.put(t, "dir/file", []byte("x"))
	b.put(t, "dir/other", []byte("y"))
	for range 2 { // deleting again changes nothing
		if err := w.Delete(t.Context(), "dir/file", backend.Cond{}); err != nil {
			t.Errorf("Delete: %v", err)
		}
		b.wantAbsent(t, "dir/file")
	}
	b.want(t, "dir/other", []byte("y"))
	wantErr(t, "Delete of no valid key", w.Delete(t.Context(), "../x", backend.Cond{}), fs.ErrInvalid)
}

// race runs 16 writers of the same key at once, and gives the number of the
// one that won.
func (b bench) race(t *testing.T, key backend.Key, cond backend.Cond) int {
	t.Helper()
	var winners, last atomic.Int64
	var wg sync.WaitGroup
	w, start := b.writer(t), make(chan struct{})
	for i := range 16 {
		wg.Go(func() {
			<-start
			switch _, err := w.Put(t.Context(), key, source([]byte(strconv.Itoa(i))), cond); {
			case err == nil:
				winners.Add(1)
				last.Store(int64(i))
			case !errors.Is(err, backend.ErrCondition):
				t.Errorf("writer %d: %v; want ErrCondition", i, err)
			}
		})
	}
	close(start)
	wg.Wait()
	if winners.Load() != 1 {
		t.Errorf("%d writers won; want 1", winners.Load())
	}
	return int(last.Load())
}

func testIfAbsentRace(t *testing.T, b bench) {
	for i := range 5 {
		key := backend.Key(fmt.Sprintf("dir%d/file", i))
		won := b.race(t, key, backend.Cond{IfAbsent: true})
		b.want(t, key, []byte(strconv.Itoa(won)))
	}
	b.put(t, "there", []byte("old"))
	_, err := b.writer(t).Put(t.Context(), "there", source([]byte("new")), backend.Cond{IfAbsent: true})
	wantErr(t, "Put over a file", err, backend.ErrCondition)
	b.want(t, "there", []byte("old"))
}

func testIfMatchRace(t *testing.T, b bench) {
	for i := range 5 {
		key := backend.Key(fmt.Sprintf("dir/file%d", i))
		info := b.put(t, key, []byte("old"))
		won := b.race(t, key, backend.Cond{IfMatch: info.Version})
		b.want(t, key, []byte(strconv.Itoa(won)))
	}
	_, err := b.writer(t).Put(t.Context(), "missing", source([]byte("new")), backend.Cond{IfMatch: "1-2-3"})
	wantErr(t, "Put over nothing", err, backend.ErrCondition)
	b.wantAbsent(t, "missing")
}

// testCompareAndSwap counts with 8 writers; a lost update would show. The
// numbers have one length, so that sizes give nothing away.
func testCompareAndSwap(t *testing.T, b bench) {
	const writers, each = 8, 5
	b.put(t, "n", []byte("100"))
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				b.increment(t, "n")
			}
		})
	}
	wg.Wait()
	b.want(t, "n", []byte(strconv.Itoa(100+writers*each)))
}

func (b bench) increment(t *testing.T, key backend.Key) {
	t.Helper()
	w := b.writer(t)
	for !t.Failed() {
		info, err := b.Stat(t.Context(), key)
		if err != nil {
			t.Error(err)
			return
		}
		old, err := b.all(t, key, info.Version)
		if errors.Is(err, backend.ErrChanged) {
			continue
		}
		n, nerr := strconv.Atoi(string(old))
		if err := errors.Join(err, nerr); err != nil {
			t.Error(err)
			return
		}
		_, err = w.Put(t.Context(), key, source([]byte(strconv.Itoa(n+1))), backend.Cond{IfMatch: info.Version})
		if err == nil {
			return
		}
		wantErr(t, "Put", err, backend.ErrCondition)
	}
}

func testDeleteConditions(t *testing.T, b bench) {
	w := b.writer(t)
	old := b.put(t, "file", []byte("old"))
	now := b.put(t, "file", []byte("new"))
	wantErr(t, "Delete of the old version", w.Delete(t.Context(), "file", backend.Cond{IfMatch: old.Version}), backend.ErrCondition)
	b.want(t, "file", []byte("new"))
	if err := w.Delete(t.Context(), "file", backend.Cond{IfMatch: now.Version}); err != nil {
		t.Errorf("Delete: %v", err)
	}
	b.wantAbsent(t, "file")
	wantErr(t, "Delete of nothing", w.Delete(t.Context(), "file", backend.Cond{IfMatch: now.Version}), backend.ErrCondition)
}

func testBadConditions(t *testing.T, b bench) {
	w := b.writer(t)
	_, err := w.Put(t.Context(), "file", source(nil), backend.Cond{IfAbsent: true, IfMatch: "x"})
	wantErr(t, "Put", err, fs.ErrInvalid)
	wantErr(t, "Delete", w.Delete(t.Context(), "file", backend.Cond{IfAbsent: true}), fs.ErrInvalid)
	_, err = w.Put(t.Context(), "a/../b", source(nil), backend.Cond{})
	wantErr(t, "Put of no valid key", err, fs.ErrInvalid)
}
