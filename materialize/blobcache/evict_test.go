package blobcache_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"cosafs/materialize"
	"cosafs/materialize/blobcache"
)

// onDisk is how many bytes the files of a cache take.
func onDisk(t *testing.T, dir string) int64 {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "objects", "*.data"))
	must(t, err)
	var total int64
	for _, path := range list {
		st, err := os.Stat(path)
		must(t, err)
		sys, ok := st.Sys().(*syscall.Stat_t)
		if !ok {
			t.Fatal("no blocks")
		}
		total += sys.Blocks * 512
	}
	return total
}

func TestLeastRecentlyUsedObjectGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, blobcache.Config{Quota: 3 * mib})
		var list []*origin
		for i := range uint64(3) {
			src := &origin{content: content{seed: 40 + i, size: mib}}
			list = append(list, src)
			fill(t, c, src.object(), src)
			<-time.After(time.Second)
		}
		closeAll(t, get(t, c, list[0].object(), list[0])) // now 1 is the oldest
		fourth := &origin{content: content{seed: 49, size: mib}}
		fill(t, c, fourth.object(), fourth)
		for i, want := range []bool{true, false, true} {
			if got := c.State(list[i].object().ID).Complete; got != want {
				t.Errorf("object %d: complete %v", i, got)
			}
		}
		if u := c.Usage(); u.Bytes != 3*mib || u.Quota != 3*mib || u.Objects != 3 {
			t.Errorf("usage: %+v", u)
		}
	})
}

func TestOpenAndPinnedObjectsStay(t *testing.T) {
	dir := t.TempDir()
	c := open(t, blobcache.Config{Dir: dir, Quota: 3 * mib})
	pinned := &origin{content: content{seed: 50, size: mib}}
	opened := &origin{content: content{seed: 51, size: mib}}
	must(t, c.Pin(pinned.object(), true)) // before it is there
	fill(t, c, pinned.object(), pinned)
	fill(t, c, opened.object(), opened)
	b := get(t, c, opened.object(), opened)
	for i := range uint64(5) {
		src := &origin{content: content{seed: 60 + i, size: mib}}
		fill(t, c, src.object(), src)
	}
	if !c.State(pinned.object().ID).Complete || !c.State(opened.object().ID).Complete {
		t.Error("an object that is open or pinned was removed")
	}
	if u := c.Usage(); u.Pinned != mib || u.Bytes != 3*mib {
		t.Errorf("usage: %+v", u)
	}

	// Nothing is left to give up: the failure tells what to do.
	must(t, c.Pin(blobcache.Object{ID: "object 64"}, true))
	more := &origin{content: content{seed: 70, size: mib}}
	err := c.Prefetch(t.Context(), more.object(), more, nil)
	class, hint := materialize.ClassOf(err)
	if class != materialize.ClassSpace || hint == "" || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("prefetch: %v (%s, %q)", err, class, hint)
	}
	// What a reader waits for is had all the same.
	r := get(t, c, more.object(), more)
	check(t, r, more.content, 5*granule, 10)
	closeAll(t, r, b, c)

	c = open(t, blobcache.Config{Dir: dir, Quota: 2 * mib})
	if st := c.State(pinned.object().ID); !st.Pinned || !st.Complete {
		t.Errorf("after a restart: %+v", st)
	}
	must(t, c.Pin(pinned.object(), false))
	must(t, c.Pin(pinned.object(), false)) // not pinned: nothing to do
	if c.State(pinned.object().ID).Pinned {
		t.Error("still pinned")
	}
}

// TestObjectLargerThanTheQuotaStreams reads it whole, and its disk use stays where
// it should.
func TestObjectLargerThanTheQuotaStreams(t *testing.T) {
	const quota = 8 * mib
	dir := t.TempDir()
	src := &origin{content: content{seed: 71, size: 40*mib + 11}}
	c := open(t, blobcache.Config{Dir: dir, Quota: quota})
	b := get(t, c, src.object(), src)
	defer closeAll(t, b)
	for _, r := range sequence(0, src.size, 128*kib) {
		check(t, b, src.content, r.off, r.n)
		if u := c.Usage(); u.Bytes > quota+2*mib {
			t.Fatalf("at %d: %+v", r.off, u)
		}
	}
	if n := onDisk(t, dir); n > quota+2*mib {
		t.Errorf("%d bytes on disk", n)
	}
	if _, total := src.asked(); total > src.size+src.size/4 {
		t.Errorf("%d bytes asked of %d", total, src.size)
	}
	err := c.Prefetch(t.Context(), src.object(), src, nil)
	if class, _ := materialize.ClassOf(err); class != materialize.ClassSpace {
		t.Errorf("prefetch of all: %v", err)
	}
}

// TestFloorIsKept: a disk that is too full gives a failure, not a full disk.
func TestFloorIsKept(t *testing.T) {
	src := &origin{content: content{seed: 72, size: mib}}
	c := open(t, blobcache.Config{Floor: 1 << 60})
	b := get(t, c, src.object(), src)
	defer closeAll(t, b)
	_, err := b.ReadAt(t.Context(), make([]byte, 1), 0)
	class, hint := materialize.ClassOf(err)
	if class != materialize.ClassSpace || hint == "" || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("read: %v (%s, %q)", err, class, hint)
	}
	if asked, _ := src.asked(); len(asked) != 0 {
		t.Errorf("asked %v though there is no room", asked)
	}
}

// TestReadersUnderPressure: many readers of several objects that don't fit, none
// of whom ever sees a wrong byte.
func TestReadersUnderPressure(t *testing.T) {
	const quota = 3 * mib
	c := open(t, blobcache.Config{Quota: quota, Parallel: 4})
	var readers sync.WaitGroup
	for i := range uint64(3) {
		src := &origin{content: content{seed: 80 + i, size: 4*mib + 1}}
		for range 3 {
			readers.Go(func() {
				for range 3 {
					b := get(t, c, src.object(), src)
					for _, r := range sequence(0, src.size, 300*kib) {
						check(t, b, src.content, r.off, r.n)
					}
					closeAll(t, b)
				}
			})
		}
	}
	readers.Wait()
	if u := c.Usage(); u.Bytes > quota+9*2*mib {
		t.Errorf("usage: %+v", u)
	}
}

// TestWaitingReaderIsNotRobbed: a granule that a reader waits for, or has not
// copied yet, is not taken for another's.
func TestWaitingReaderIsNotRobbed(t *testing.T) {
	gate, waits := make(chan struct{}), make(chan struct{}, 10)
	slow := &origin{content: content{seed: 90, size: 2 * mib}}
	slow.open = func(_ context.Context, r request, body io.Reader) (io.Reader, error) {
		if r.off > 0 && r.off < mib {
			waits <- struct{}{}
		}
		if r.off > 0 {
			<-gate
		}
		return body, nil
	}
	c := open(t, blobcache.Config{Quota: mib, Parallel: 1})
	b := get(t, c, slow.object(), slow)
	defer closeAll(t, b)
	check(t, b, slow.content, 0, 4*granule)
	done := make(chan struct{})
	go func() {
		defer close(done)
		check(t, b, slow.content, 0, mib) // has a quarter, waits for the rest
	}()
	<-waits
	other := &origin{content: content{seed: 91, size: 8 * mib}}
	b2 := get(t, c, other.object(), other)
	defer closeAll(t, b2)
	for _, r := range sequence(0, other.size, 256*kib) {
		check(t, b2, other.content, r.off, r.n)
	}
	close(gate)
	<-done
	requests, _ := slow.asked()
	for _, r := range requests[1:] {
		if r.off == 0 {
			t.Errorf("what the reader had was taken away: %v", requests)
		}
	}
}
