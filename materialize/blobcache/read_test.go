package blobcache_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"cosafs/materialize/blobcache"
)

func TestReadAtFollowsReaderAt(t *testing.T) {
	src := &origin{content: content{seed: 1, size: 3*granule + 100}}
	b := get(t, open(t, blobcache.Config{}), src.object(), src)
	defer closeAll(t, b)
	cases := []struct {
		name     string
		off      int64
		len, got int
		err      error
	}{
		{"beginning", 0, 10, 10, nil},
		{"across granules", granule - 5, 10, 10, nil},
		{"last byte", src.size - 1, 1, 1, nil},
		{"to the end", src.size - 10, 10, 10, nil},
		{"beyond the end", src.size - 10, 11, 10, io.EOF},
		{"at the end", src.size, 1, 0, io.EOF},
		{"far behind", src.size + 1<<40, 1, 0, io.EOF},
		{"nothing", 5, 0, 0, nil},
		{"all and more", 0, int(src.size) + 1, int(src.size), io.EOF},
		{"negative", -1, 1, 0, fs.ErrInvalid},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			p := make([]byte, tc.len)
			n, err := b.ReadAt(t.Context(), p, tc.off)
			if n != tc.got || !errors.Is(err, tc.err) {
				t.Fatalf("got %d, %v; want %d, %v", n, err, tc.got, tc.err)
			}
			if n > 0 && !bytes.Equal(p[:n], src.bytes(tc.off, int64(n))) {
				t.Error("wrong bytes")
			}
		})
	}
}

// readerAt is a blob as io knows it.
type readerAt struct {
	ctx context.Context
	b   *blobcache.Blob
}

func (r readerAt) ReadAt(p []byte, off int64) (int, error) { return r.b.ReadAt(r.ctx, p, off) }

func TestBlobIsAReader(t *testing.T) {
	src := &origin{content: content{seed: 2, size: 5*granule + 7}}
	b := get(t, open(t, blobcache.Config{}), src.object(), src)
	defer closeAll(t, b)
	r := io.NewSectionReader(readerAt{t.Context(), b}, 0, b.Size())
	if err := iotest.TestReader(r, src.bytes(0, src.size)); err != nil {
		t.Error(err)
	}
}

func TestNothingIsAskedBeforeARead(t *testing.T) {
	src := &origin{content: content{seed: 3, size: mib}}
	c := open(t, blobcache.Config{})
	b := get(t, c, src.object(), src)
	closeAll(t, b)
	if _, err := b.ReadAt(t.Context(), make([]byte, 1), 0); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("read of a closed blob: %v", err)
	}
	if asked, _ := src.asked(); len(asked) != 0 {
		t.Errorf("asked %v", asked)
	}
}

func TestEmptyObjectIsComplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &origin{content: content{seed: 4}}
		want := src.object()
		want.SHA256 = src.sha256()
		b := get(t, open(t, blobcache.Config{}), want, src)
		defer closeAll(t, b)
		synctest.Wait()
		if _, ok := b.LocalFile(); !ok {
			t.Error("no local file")
		}
		if _, err := b.ReadAt(t.Context(), make([]byte, 1), 0); !errors.Is(err, io.EOF) {
			t.Errorf("read: %v", err)
		}
	})
}

func TestRefusesWhatCannotBe(t *testing.T) {
	c := open(t, blobcache.Config{})
	for _, o := range []blobcache.Object{
		{Size: 1}, {ID: "x", Size: -1}, {ID: "x", Size: 1, SHA256: "12"}, {ID: "x", Size: 1, SHA256: "no hex"},
	} {
		if _, err := c.Get(t.Context(), o, &origin{}); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for _, cfg := range []blobcache.Config{
		{}, {Dir: t.TempDir(), Quota: -1}, {Dir: t.TempDir(), Parallel: -1}, {Dir: t.TempDir(), Verify: "never"},
	} {
		if _, err := blobcache.Open(t.Context(), cfg); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

func TestOneFetchForAllReaders(t *testing.T) {
	gate := make(chan struct{})
	src := &origin{content: content{seed: 5, size: 64 * mib}}
	src.open = func(_ context.Context, _ request, body io.Reader) (io.Reader, error) {
		<-gate
		return body, nil
	}
	c := open(t, blobcache.Config{})
	var readers sync.WaitGroup
	for i := range 50 {
		readers.Go(func() {
			b := get(t, c, src.object(), src)
			defer closeAll(t, b)
			// All in one granule in the middle, each elsewhere in it.
			check(t, b, src.content, 100*granule+int64(i)*1000, 1000)
		})
	}
	close(gate)
	readers.Wait()
	if asked, total := src.asked(); len(asked) != 1 || total != granule {
		t.Errorf("asked %v", asked)
	}
}

// A trickle gives its bytes up to a barrier, and the rest when that is opened.
type trickle struct {
	io.Reader
	left    int64
	barrier <-chan struct{}
}

func (r *trickle) Read(p []byte) (int, error) {
	if r.left == 0 {
		<-r.barrier
		return r.Reader.Read(p)
	}
	n, err := r.Reader.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	return n, err
}

func TestFirstReaderWaitsForOneGranule(t *testing.T) {
	barrier := make(chan struct{})
	src := &origin{content: content{seed: 6, size: 4 * granule}}
	src.open = func(_ context.Context, _ request, body io.Reader) (io.Reader, error) {
		return &trickle{body, granule, barrier}, nil
	}
	b := get(t, open(t, blobcache.Config{}), src.object(), src)
	defer closeAll(t, b)
	check(t, b, src.content, 0, granule) // the rest of the range does not come yet
	if asked, _ := src.asked(); len(asked) != 1 || asked[0].n != 4*granule {
		t.Errorf("asked %v", asked)
	}
	close(barrier)
	check(t, b, src.content, 0, 4*granule)
}

func TestReaderLeavesAtOnceAndTheFetchGoesOn(t *testing.T) {
	gate, began := make(chan struct{}), make(chan struct{}, 1)
	src := &origin{content: content{seed: 7, size: granule}}
	src.open = func(_ context.Context, _ request, body io.Reader) (io.Reader, error) {
		began <- struct{}{}
		<-gate
		return body, nil
	}
	b := get(t, open(t, blobcache.Config{}), src.object(), src)
	defer closeAll(t, b)
	ctx, cancel := context.WithCancelCause(t.Context())
	dying := errors.New("dying")
	go func() { <-began; cancel(dying) }()
	if _, err := b.ReadAt(ctx, make([]byte, 1), 0); !errors.Is(err, dying) {
		t.Fatalf("read: %v", err)
	}
	close(gate)
	check(t, b, src.content, 0, granule)
	if asked, _ := src.asked(); len(asked) != 1 {
		t.Errorf("asked %v", asked)
	}
}

func TestCloseEndsBlockedReaders(t *testing.T) {
	began := make(chan struct{}, 1)
	src := &origin{content: content{seed: 8, size: mib}}
	src.open = func(ctx context.Context, _ request, _ io.Reader) (io.Reader, error) {
		began <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	c := open(t, blobcache.Config{})
	b := get(t, c, src.object(), src)
	go func() { <-began; _ = c.Close() /* it is checked at the end */ }()
	if _, err := b.ReadAt(t.Context(), make([]byte, 1), 0); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("read: %v", err)
	}
	closeAll(t, b, c)
	if _, err := c.Get(t.Context(), src.object(), src); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("get: %v", err)
	}
	if err := c.Prefetch(t.Context(), src.object(), src, nil); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("prefetch: %v", err)
	}
}

func TestErrorGoesToWhoWaitsAndALaterReadTriesAgain(t *testing.T) {
	down := errors.New("the store is down")
	src := &origin{content: content{seed: 9, size: mib}}
	src.open = func(context.Context, request, io.Reader) (io.Reader, error) { return nil, down }
	b := get(t, open(t, blobcache.Config{}), src.object(), src)
	defer closeAll(t, b)
	for range 2 {
		if _, err := b.ReadAt(t.Context(), make([]byte, 1), 0); !errors.Is(err, down) {
			t.Fatalf("read: %v", err)
		}
	}
	src.answer(nil)
	check(t, b, src.content, 0, mib)
}

func TestBodiesOfTheWrongLengthAreErrors(t *testing.T) {
	cases := []struct {
		name string
		body func(body io.Reader, n int64) io.Reader
		err  error
	}{
		{"short", func(body io.Reader, n int64) io.Reader { return io.LimitReader(body, n-1) }, io.ErrUnexpectedEOF},
		{"empty", func(io.Reader, int64) io.Reader { return bytes.NewReader(nil) }, io.ErrUnexpectedEOF},
		{"long", func(body io.Reader, _ int64) io.Reader { return io.MultiReader(body, bytes.NewReader([]byte("more"))) }, nil},
		{"broken", func(body io.Reader, n int64) io.Reader {
			return io.MultiReader(io.LimitReader(body, n/2), iotest.ErrReader(fs.ErrPermission))
		}, fs.ErrPermission},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			src := &origin{content: content{seed: 10, size: granule + 10}}
			src.open = func(_ context.Context, r request, body io.Reader) (io.Reader, error) { return tc.body(body, r.n), nil }
			c := open(t, blobcache.Config{})
			b := get(t, c, src.object(), src)
			defer closeAll(t, b)
			_, err := b.ReadAt(t.Context(), make([]byte, 10), granule)
			if err == nil || tc.err != nil && !errors.Is(err, tc.err) {
				t.Fatalf("read: %v", err)
			}
			if st := c.State(src.object().ID); st.Complete {
				t.Errorf("state: %+v", st)
			}
			src.answer(nil)
			check(t, b, src.content, 0, src.size)
		})
	}
}

func TestOneByteReadsOfTheBody(t *testing.T) {
	src := &origin{content: content{seed: 11, size: 2*granule + 1}}
	src.open = func(_ context.Context, _ request, body io.Reader) (io.Reader, error) {
		return iotest.OneByteReader(body), nil
	}
	b := get(t, open(t, blobcache.Config{}), src.object(), src)
	defer closeAll(t, b)
	check(t, b, src.content, 0, src.size)
}
