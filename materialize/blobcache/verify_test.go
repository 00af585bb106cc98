package blobcache_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cosafs/materialize"
	"cosafs/materialize/blobcache"
)

// spoiling gives wrong bytes in the first n requests.
func spoiling(src *origin, n int32) {
	var count atomic.Int32
	src.open = func(_ context.Context, r request, body io.Reader) (io.Reader, error) {
		if count.Add(1) > n {
			return body, nil
		}
		return bytes.NewReader(make([]byte, r.n)), nil
	}
}

func TestChangedTellsOfCompletion(t *testing.T) {
	src := &origin{content: content{seed: 100, size: mib}}
	want := src.object()
	want.SHA256 = src.sha256()
	c := open(t, blobcache.Config{})
	changed := c.Changed()
	var last int64
	err := c.Prefetch(t.Context(), want, src, func(done, total int64) {
		if total != src.size || done < last || done > total {
			t.Errorf("progress %d of %d after %d", done, total, last)
		}
		last = done
	})
	must(t, err)
	if last != src.size {
		t.Errorf("progress ends at %d", last)
	}
	<-changed
	if st := c.State(want.ID); !st.Complete || st.Present != src.size {
		t.Errorf("state: %+v", st)
	}
	select {
	case <-c.Changed():
		t.Error("changed again")
	default:
	}
}

func TestWrongBytesAreFetchedOnceMore(t *testing.T) {
	src := &origin{content: content{seed: 101, size: mib}}
	want := src.object()
	want.SHA256 = src.sha256()
	spoiling(src, 1)
	c := open(t, blobcache.Config{})
	fill(t, c, want, src)
	b := get(t, c, want, src)
	defer closeAll(t, b)
	check(t, b, src.content, 0, src.size)
}

func TestWrongBytesTwiceAreAFailure(t *testing.T) {
	src := &origin{content: content{seed: 102, size: mib}}
	want := src.object()
	want.SHA256 = src.sha256()
	spoiling(src, 1<<30)
	c := open(t, blobcache.Config{})
	b := get(t, c, want, src)
	defer closeAll(t, b)
	err := c.Prefetch(t.Context(), want, src, nil)
	class, hint := materialize.ClassOf(err)
	if !errors.Is(err, blobcache.ErrCorrupt) || class == materialize.ClassInternal || hint == "" {
		t.Errorf("prefetch: %v (%s, %q)", err, class, hint)
	}
	if _, err := b.ReadAt(t.Context(), make([]byte, 1), 0); !errors.Is(err, blobcache.ErrCorrupt) {
		t.Errorf("read: %v", err)
	}
	if _, total := src.asked(); total != 2*src.size {
		t.Errorf("%d bytes asked", total)
	}
	// It is not fetched a third time.
	if _, err := c.Get(t.Context(), want, src); !errors.Is(err, blobcache.ErrCorrupt) {
		t.Errorf("get: %v", err)
	}
	if u := c.Usage(); u.Bytes != 0 || u.Objects != 0 {
		t.Errorf("usage: %+v", u)
	}
}

// Who reads all of a file knows in the end whether it was right: the last read
// fails if it wasn't, though the whole is fetched again and right for the next.
func TestReaderToTheEndHearsOfWrongBytes(t *testing.T) {
	src := &origin{content: content{seed: 107, size: 3*mib + 5}}
	want := src.object()
	want.SHA256 = src.sha256()
	spoiling(src, 1)
	c := open(t, blobcache.Config{})
	b := get(t, c, want, src)
	defer closeAll(t, b)
	p := make([]byte, mib)
	var err error
	for off := int64(0); off < src.size && err == nil; off += mib {
		_, err = b.ReadAt(t.Context(), p[:min(mib, src.size-off)], off)
	}
	if !errors.Is(err, blobcache.ErrCorrupt) {
		t.Errorf("the last read: %v; want ErrCorrupt", err)
	}
	if _, err := b.ReadAt(t.Context(), p, 0); !errors.Is(err, blobcache.ErrCorrupt) {
		t.Errorf("a read after it: %v; want ErrCorrupt", err)
	}
	again := get(t, c, want, src)
	defer closeAll(t, again)
	check(t, again, src.content, 0, src.size)
}

// TestSequentialReaderCompletes: who reads all of a file makes it complete, though
// nobody asked for that.
func TestSequentialReaderCompletes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &origin{content: content{seed: 103, size: 3*mib + 1}}
		want := src.object()
		want.SHA256 = src.sha256()
		c := open(t, blobcache.Config{})
		b := get(t, c, want, src)
		defer closeAll(t, b)
		if _, ok := b.LocalFile(); ok {
			t.Error("local file before the first read")
		}
		for _, r := range sequence(0, src.size, 128*kib) {
			check(t, b, src.content, r.off, r.n)
		}
		synctest.Wait()
		f, ok := b.LocalFile()
		if !ok {
			t.Fatal("no local file")
		}
		data, err := io.ReadAll(f)
		if err != nil || !bytes.Equal(data, src.bytes(0, src.size)) {
			t.Errorf("local file: %d bytes, %v", len(data), err)
		}
	})
}

func TestVerifyOpenReadsNothingUnverified(t *testing.T) {
	dir := t.TempDir()
	src := &origin{content: content{seed: 104, size: mib + 3}}
	want := src.object()
	want.SHA256 = src.sha256()
	spoiling(src, 1<<30)
	c := open(t, blobcache.Config{Dir: dir, Verify: blobcache.VerifyOpen})
	if _, err := c.Get(t.Context(), want, src); !errors.Is(err, blobcache.ErrCorrupt) {
		t.Fatalf("get: %v", err)
	}
	closeAll(t, c)

	src.answer(nil)
	c = open(t, blobcache.Config{Dir: dir, Verify: blobcache.VerifyOpen})
	b := get(t, c, want, src)
	if _, ok := b.LocalFile(); !ok {
		t.Error("no local file")
	}
	check(t, b, src.content, 0, src.size)
	closeAll(t, b, c)
	src.forget()

	// Somebody changes the file, and hides it well.
	path := file(t, dir, ".data")
	st, err := os.Stat(path)
	must(t, err)
	must(t, flip(path, mib))
	must(t, os.Chtimes(path, time.Time{}, st.ModTime()))
	c = open(t, blobcache.Config{Dir: dir, Verify: blobcache.VerifyOpen})
	b = get(t, c, want, src)
	defer closeAll(t, b)
	check(t, b, src.content, 0, src.size)
	if asked, _ := src.asked(); len(asked) != 1 || asked[0].off != mib {
		t.Errorf("asked %v", asked)
	}
}

// TestSHA256LearnedLater: an object that was complete without a sha256 is verified
// when somebody knows it.
func TestSHA256LearnedLater(t *testing.T) {
	for name, reopen := range map[string]bool{"open": false, "after a restart": true} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			src := &origin{content: content{seed: 105, size: mib}}
			spoiling(src, 1)
			want := src.object()
			c := open(t, blobcache.Config{Dir: dir})
			fill(t, c, want, src)
			if reopen {
				closeAll(t, c)
				c = open(t, blobcache.Config{Dir: dir})
			}
			want.SHA256 = src.sha256()
			fill(t, c, want, src)
			b := get(t, c, want, src)
			defer closeAll(t, b)
			check(t, b, src.content, 0, src.size)
		})
	}
}

func TestPrefetchEndsWithItsCaller(t *testing.T) {
	began := make(chan struct{}, 16)
	src := &origin{content: content{seed: 106, size: 64 * mib}}
	src.open = func(ctx context.Context, _ request, _ io.Reader) (io.Reader, error) {
		began <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	c := open(t, blobcache.Config{Parallel: 2})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-began; cancel() }()
	if err := c.Prefetch(ctx, src.object(), src, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("prefetch: %v", err)
	}
	closeAll(t, c)
	if asked, _ := src.asked(); len(asked) > 2 {
		t.Errorf("asked %v", asked)
	}
}

func TestPrefetchGivesTheOriginsError(t *testing.T) {
	down := errors.New("the store is down")
	src := &origin{content: content{seed: 107, size: 20 * mib}}
	src.open = func(_ context.Context, r request, body io.Reader) (io.Reader, error) {
		if r.off > 0 {
			return nil, down
		}
		return body, nil
	}
	c := open(t, blobcache.Config{})
	if err := c.Prefetch(t.Context(), src.object(), src, nil); !errors.Is(err, down) {
		t.Errorf("prefetch: %v", err)
	}
	src.answer(nil)
	fill(t, c, src.object(), src)
}

// TestReaderGoesBeforePrefetch: all slots are taken by a prefetch that hangs; a
// reader of another place does not wait for it.
func TestReaderGoesBeforePrefetch(t *testing.T) {
	gate := make(chan struct{})
	src := &origin{content: content{seed: 108, size: 64 * mib}}
	src.open = func(_ context.Context, r request, body io.Reader) (io.Reader, error) {
		if r.n > mib {
			<-gate
		}
		return body, nil
	}
	c := open(t, blobcache.Config{Parallel: 2})
	done := make(chan error)
	go func() { done <- c.Prefetch(t.Context(), src.object(), src, nil) }()
	b := get(t, c, src.object(), src)
	defer closeAll(t, b)
	check(t, b, src.content, 60*mib, 4096)
	close(gate)
	must(t, <-done)
}
