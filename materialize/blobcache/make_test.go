package blobcache_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"cosafs/materialize"
	"cosafs/materialize/blobcache"
)

// from gives a producer of a content.
func from(src content, count *atomic.Int32) func(ctx context.Context, w io.Writer) error {
	return func(_ context.Context, w io.Writer) error {
		count.Add(1)
		// In odd steps, which are no granules.
		_, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{io.NewSectionReader(src, 0, src.size)}, make([]byte, 70001))
		return err
	}
}

func TestMakeOnceForAll(t *testing.T) {
	dir := t.TempDir()
	src := content{seed: 110, size: 3*mib + 17}
	want := src.object()
	want.SHA256 = src.sha256()
	var count atomic.Int32
	c := open(t, blobcache.Config{Dir: dir})
	changed := c.Changed()
	var callers sync.WaitGroup
	for range 20 {
		callers.Go(func() {
			b, err := c.Make(t.Context(), want, from(src, &count))
			if err != nil {
				t.Error(err)
				return
			}
			defer closeAll(t, b)
			if _, ok := b.LocalFile(); !ok {
				t.Error("no local file")
			}
			check(t, b, src, 0, src.size)
		})
	}
	callers.Wait()
	if count.Load() != 1 {
		t.Errorf("made %d times", count.Load())
	}
	<-changed
	closeAll(t, c)

	c = open(t, blobcache.Config{Dir: dir})
	want.Size = -1 // who asks need not know
	b, err := c.Make(t.Context(), want, from(src, &count))
	must(t, err)
	defer closeAll(t, b)
	if b.Size() != src.size || count.Load() != 1 {
		t.Errorf("%d bytes, made %d times", b.Size(), count.Load())
	}
}

func TestMakeChecksWhatIsMade(t *testing.T) {
	src := content{seed: 111, size: 2*granule + 1}
	broken := errors.New("broken archive")
	good := src.object()
	good.SHA256 = src.sha256()
	cases := []struct {
		name    string
		change  func(o *blobcache.Object)
		produce func(ctx context.Context, w io.Writer) error
		err     error
	}{
		{"other bytes", nil, from(content{seed: 999, size: src.size}, new(atomic.Int32)), blobcache.ErrCorrupt},
		{"too short", nil, from(content{seed: 111, size: src.size - 1}, new(atomic.Int32)), blobcache.ErrCorrupt},
		{"too long", nil, from(content{seed: 111, size: src.size + mib}, new(atomic.Int32)), blobcache.ErrCorrupt},
		{"fails", nil, func(_ context.Context, w io.Writer) error {
			_, err := w.Write(make([]byte, mib/8))
			return errors.Join(broken, err)
		}, broken},
		{"does not fit", func(o *blobcache.Object) { o.Size, o.SHA256 = -1, "" },
			from(content{seed: 111, size: 40 * mib}, new(atomic.Int32)), syscall.ENOSPC},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			c := open(t, blobcache.Config{Dir: dir, Quota: 16 * mib})
			want := good
			if tc.change != nil {
				tc.change(&want)
			}
			if _, err := c.Make(t.Context(), want, tc.produce); !errors.Is(err, tc.err) {
				t.Fatalf("make: %v", err)
			}
			if u := c.Usage(); u.Bytes != 0 || u.Objects != 0 {
				t.Errorf("usage: %+v", u)
			}
			if list, err := os.ReadDir(filepath.Join(dir, "objects")); err != nil || len(list) != 0 {
				t.Errorf("left: %v, %v", list, err)
			}
			b, err := c.Make(t.Context(), good, from(src, new(atomic.Int32)))
			must(t, err)
			check(t, b, src, 0, src.size)
			closeAll(t, b)
		})
	}
}

// TestMakeEndsWhenNobodyWaits: the first of two leaves, which the other does not
// notice; then the other leaves, which ends it.
func TestMakeEndsWhenNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, blobcache.Config{})
		ended := make(chan error, 1)
		results := make(chan error, 2)
		ask := func(ctx context.Context) {
			_, err := c.Make(ctx, blobcache.Object{ID: "x", Name: "x", Size: -1}, func(ctx context.Context, _ io.Writer) error {
				<-ctx.Done()
				ended <- context.Cause(ctx)
				return ctx.Err()
			})
			results <- err
		}
		first, leave := context.WithCancel(t.Context())
		second, leaveToo := context.WithCancel(t.Context())
		go ask(first)
		synctest.Wait()
		go ask(second)
		synctest.Wait()
		leave()
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("first: %v", err)
		}
		synctest.Wait()
		if len(ended) > 0 {
			t.Error("it ended though somebody waits")
		}
		leaveToo()
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("second: %v", err)
		}
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("produce ended with %v", err)
		}
	})
}

func TestMakeMakesHolesOfZeros(t *testing.T) {
	dir := t.TempDir()
	c := open(t, blobcache.Config{Dir: dir, Quota: 8 * mib})
	b, err := c.Make(t.Context(), blobcache.Object{ID: "disk", Name: "disk.raw", Size: 64 * mib}, func(_ context.Context, w io.Writer) error {
		for range 63 {
			if _, err := w.Write(make([]byte, mib)); err != nil {
				return err
			}
		}
		_, err := w.Write(bytes.Repeat([]byte{1}, mib))
		return err
	})
	must(t, err)
	defer closeAll(t, b)
	p := make([]byte, 2)
	if _, err := b.ReadAt(t.Context(), p, 63*mib-1); err != nil || p[0] != 0 || p[1] != 1 {
		t.Errorf("read: %v, %v", p, err)
	}
	if u := c.Usage(); u.Bytes != mib || onDisk(t, dir) > 2*mib {
		t.Errorf("usage: %+v, %d on disk", u, onDisk(t, dir))
	}
}

// TestDamagedProductIsMadeAgain: there is no origin that could give the damaged
// part once more.
func TestDamagedProductIsMadeAgain(t *testing.T) {
	for name, damage := range map[string]func(data, maps string) error{
		"data":      func(data, _ string) error { return flip(data, mib) },
		"data gone": func(data, _ string) error { return os.Remove(data) },
		"map":       func(_, maps string) error { return os.Truncate(maps, 100) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			src := content{seed: 112, size: 2 * mib}
			want := src.object()
			want.SHA256 = src.sha256()
			var count atomic.Int32
			c := open(t, blobcache.Config{Dir: dir})
			b, err := c.Make(t.Context(), want, from(src, &count))
			must(t, err)
			closeAll(t, b, c)
			must(t, damage(file(t, dir, ".data"), file(t, dir, ".map")))
			c = open(t, blobcache.Config{Dir: dir})
			b, err = c.Make(t.Context(), want, from(src, &count))
			must(t, err)
			defer closeAll(t, b)
			check(t, b, src, 0, src.size)
			if count.Load() != 2 {
				t.Errorf("made %d times", count.Load())
			}
		})
	}
}

func TestMakeAfterClose(t *testing.T) {
	c := open(t, blobcache.Config{})
	closeAll(t, c)
	_, err := c.Make(t.Context(), blobcache.Object{ID: "x", Size: -1}, nil)
	if err == nil {
		t.Error("made in a closed cache")
	}
	if class, _ := materialize.ClassOf(err); class == materialize.ClassSpace {
		t.Errorf("make: %v", err)
	}
}
