package backendtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"sync"
	"sync/atomic"

	"cosafs/backend"
)

func testPut(b bench) {
	for i, data := range [][]byte{pattern(1, big), pattern(2, 10), nil, pattern(3, 10)} {
		info := b.put("new/dir/file", data)
		b.want("new/dir/file", data)
		st, err := b.Stat(b.Context(), "new/dir/file")
		if err != nil || st.Version != info.Version || info.Size != int64(len(data)) || info.Key != "new/dir/file" {
			b.Errorf("Put %d = %+v; Stat = %+v, %v", i, info, st, err)
		}
	}
}

// testDigest stores bytes whose digest the store is told, and bytes whose digest
// it has to find out, if it keeps any. What it gives must be right.
func testDigest(b bench) {
	for _, data := range [][]byte{pattern(1, 1000), nil, pattern(2, big)} {
		for _, told := range []bool{true, false} {
			src := source(data)
			want := src.SHA256
			if !told {
				src.SHA256 = [sha256.Size]byte{}
			}
			put, err := b.writer().Put(b.Context(), "file", src, backend.Cond{})
			st, serr := b.Stat(b.Context(), "file")
			if err != nil || serr != nil || put.SHA256 != st.SHA256 {
				b.Errorf("Put = %x, %v; Stat = %x, %v; want the same", put.SHA256, err, st.SHA256, serr)
			}
			if none := [sha256.Size]byte{}; st.SHA256 != want && (b.h.Digests || st.SHA256 != none) {
				b.Errorf("digest of %d bytes = %x; want %x", len(data), st.SHA256, want)
			}
		}
	}
}

func testPutShort(b bench) {
	src := source([]byte("short"))
	src.Size++
	_, err := b.writer().Put(b.Context(), "dir/file", src, backend.Cond{})
	b.wantErr("Put", err, io.ErrUnexpectedEOF)
	b.wantNothing()
}

func testPutDigest(b bench) {
	src := source([]byte("good"))
	src.ReaderAt = bytes.NewReader([]byte("evil"))
	_, err := b.writer().Put(b.Context(), "dir/file", src, backend.Cond{})
	b.wantErr("Put", err, backend.ErrDigest)
	b.wantNothing()

	b.put("dir/file", []byte("old"))
	_, err = b.writer().Put(b.Context(), "dir/file", src, backend.Cond{})
	b.wantErr("Put over a file", err, backend.ErrDigest)
	b.want("dir/file", []byte("old"))
}

func testPutCancelled(b bench) {
	ctx, cancel := context.WithCancel(b.Context())
	cancel()
	_, err := b.writer().Put(ctx, "dir/file", source([]byte("x")), backend.Cond{})
	b.wantErr("Put", err, context.Canceled)
	b.wantNothing()
}

// wantNothing checks that a Put that failed left nothing to see.
func (b bench) wantNothing() {
	b.Helper()
	b.wantAbsent("dir/file")
	if !b.h.Properties.Lists {
		return
	}
	if got := b.names(""); len(got) != 0 {
		b.Errorf("List = %q; want nothing", got)
	}
}

func testPutUnderReaders(b bench) {
	const size = 100_000
	uniform := func(c byte) []byte { return bytes.Repeat([]byte{c}, size) }
	b.put("file", uniform('0'))
	var wg sync.WaitGroup
	var done atomic.Bool
	for range 4 {
		wg.Go(func() {
			for !done.Load() {
				got, err := b.all("file", "")
				if b.cut(err) {
					continue
				}
				if err != nil || !bytes.Equal(got, uniform(got[0])) {
					b.Errorf("read %d bytes, %v; want %d of one kind", len(got), err, size)
					return
				}
			}
		})
	}
	for i := range 20 {
		b.put("file", uniform('a'+byte(i)))
	}
	done.Store(true)
	wg.Wait()
}

func testDelete(b bench) {
	w := b.writer()
	b.put("dir/file", []byte("x"))
	b.put("dir/other", []byte("y"))
	for range 2 { // deleting again changes nothing
		if err := w.Delete(b.Context(), "dir/file", backend.Cond{}); err != nil {
			b.Errorf("Delete: %v", err)
		}
		b.wantAbsent("dir/file")
	}
	b.want("dir/other", []byte("y"))
	b.wantErr("Delete of no valid key", w.Delete(b.Context(), "../x", backend.Cond{}), fs.ErrInvalid)
}

// race runs 16 writers of the same key at once, and gives the number of the
// one that won.
func (b bench) race(key backend.Key, cond backend.Cond) int {
	b.Helper()
	var winners, last atomic.Int64
	var wg sync.WaitGroup
	w, start := b.writer(), make(chan struct{})
	for i := range 16 {
		wg.Go(func() {
			<-start
			switch _, err := w.Put(b.Context(), key, source([]byte(strconv.Itoa(i))), cond); {
			case err == nil:
				winners.Add(1)
				last.Store(int64(i))
			case !errors.Is(err, backend.ErrCondition):
				b.Errorf("writer %d: %v; want ErrCondition", i, err)
			}
		})
	}
	close(start)
	wg.Wait()
	if winners.Load() != 1 {
		b.Errorf("%d writers won; want 1", winners.Load())
	}
	return int(last.Load())
}

func testIfAbsentRace(b bench) {
	for i := range 5 {
		key := backend.Key(fmt.Sprintf("dir%d/file", i))
		won := b.race(key, backend.Cond{IfAbsent: true})
		b.want(key, []byte(strconv.Itoa(won)))
	}
	b.put("there", []byte("old"))
	_, err := b.writer().Put(b.Context(), "there", source([]byte("new")), backend.Cond{IfAbsent: true})
	b.wantErr("Put over a file", err, backend.ErrCondition)
	b.want("there", []byte("old"))
}

func testIfMatchRace(b bench) {
	for i := range 5 {
		key := backend.Key(fmt.Sprintf("dir/file%d", i))
		info := b.put(key, []byte("old"))
		won := b.race(key, backend.Cond{IfMatch: info.Version})
		b.want(key, []byte(strconv.Itoa(won)))
	}
	_, err := b.writer().Put(b.Context(), "missing", source([]byte("new")), backend.Cond{IfMatch: "1-2-3"})
	b.wantErr("Put over nothing", err, backend.ErrCondition)
	b.wantAbsent("missing")
}

// testCompareAndSwap counts with 8 writers; a lost update would show. The
// numbers have one length, so that sizes give nothing away.
func testCompareAndSwap(b bench) {
	const writers, each = 8, 5
	b.put("n", []byte("100"))
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				b.increment("n")
			}
		})
	}
	wg.Wait()
	b.want("n", []byte(strconv.Itoa(100+writers*each)))
}

func (b bench) increment(key backend.Key) {
	b.Helper()
	w := b.writer()
	for !b.Failed() {
		info, err := b.Stat(b.Context(), key)
		if b.cut(err) {
			continue
		}
		if err != nil {
			b.Error(err)
			return
		}
		old, err := b.all(key, info.Version)
		if errors.Is(err, backend.ErrChanged) || b.cut(err) {
			continue
		}
		n, nerr := strconv.Atoi(string(old))
		if err := errors.Join(err, nerr); err != nil {
			b.Error(err)
			return
		}
		_, err = w.Put(b.Context(), key, source([]byte(strconv.Itoa(n+1))), backend.Cond{IfMatch: info.Version})
		if err == nil {
			return
		}
		b.wantErr("Put", err, backend.ErrCondition)
	}
}

func testDeleteConditions(b bench) {
	w := b.writer()
	old := b.put("file", []byte("old"))
	now := b.put("file", []byte("new"))
	b.wantErr("Delete of the old version", w.Delete(b.Context(), "file", backend.Cond{IfMatch: old.Version}), backend.ErrCondition)
	b.want("file", []byte("new"))
	if err := w.Delete(b.Context(), "file", backend.Cond{IfMatch: now.Version}); err != nil {
		b.Errorf("Delete: %v", err)
	}
	b.wantAbsent("file")
	b.wantErr("Delete of nothing", w.Delete(b.Context(), "file", backend.Cond{IfMatch: now.Version}), backend.ErrCondition)
}

func testBadConditions(b bench) {
	w := b.writer()
	_, err := w.Put(b.Context(), "file", source(nil), backend.Cond{IfAbsent: true, IfMatch: "x"})
	b.wantErr("Put", err, fs.ErrInvalid)
	b.wantErr("Delete", w.Delete(b.Context(), "file", backend.Cond{IfAbsent: true}), fs.ErrInvalid)
	_, err = w.Put(b.Context(), "a/../b", source(nil), backend.Cond{})
	b.wantErr("Put of no valid key", err, fs.ErrInvalid)
}
