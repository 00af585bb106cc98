package backendtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"sync"
	"testing"

	"cosafs/backend"
)

const big = 3 << 20 // more than the buffers of a connection hold

func wantIsAbsent(t *testing.T, what string, err error) {
	t.Helper()
	wantErr(t, what, err, fs.ErrNotExist)
}

func testMissing(t *testing.T, b bench) {
	b.seed(t, "dir/file", []byte("x"))
	for _, key := range []backend.Key{"nothing", "dir/nothing", "no/dir/at/all", "dir", "dir/file/below"} {
		b.wantAbsent(t, key)
		_, err := b.all(t, key, "")
		wantIsAbsent(t, "Open of "+string(key), err)
	}
}

func testInvalidKey(t *testing.T, b bench) {
	for _, key := range []backend.Key{"", ".", "/a", "a/", "a//b", "a/../b", "..", "a\x00b", "a\xffb"} {
		_, err := b.Stat(t.Context(), key)
		wantErr(t, "Stat of "+string(key), err, fs.ErrInvalid)
		_, err = b.all(t, key, "")
		wantErr(t, "Open of "+string(key), err, fs.ErrInvalid)
	}
}

func testStat(t *testing.T, b bench) {
	b.seed(t, "dir/file", pattern(1, 1000))
	info, err := b.Stat(t.Context(), "dir/file")
	if err != nil {
		t.Fatal(err)
	}
	if info.Key != "dir/file" || info.Size != 1000 || info.Dir || info.Version == "" {
		t.Errorf("Stat = %+v; want its key, 1000 bytes, no directory, some version", info)
	}
}

func testZeroLength(t *testing.T, b bench) {
	b.seed(t, "empty", nil)
	b.want(t, "empty", nil)
	b.seed(t, "full", []byte("full"))
	for _, off := range []int64{0, 2, 4} {
		got, err := b.part(t, "full", backend.Range{Off: off}, "")
		if err != nil || len(got) != 0 {
			t.Errorf("0 bytes at %d: %q, %v; want none, nil", off, got, err)
		}
	}
	_, err := b.part(t, "nothing", backend.Range{}, "")
	wantIsAbsent(t, "0 bytes of nothing", err)
}

func testRanges(t *testing.T, b bench) {
	data := pattern(2, big)
	b.seed(t, "file", data)
	for _, r := range []backend.Range{
		{Len: backend.ToEnd}, {Off: big - 1, Len: 1}, {Len: 1}, {Off: 1, Len: 4095}, {Off: 4095, Len: 2},
		{Off: 65537, Len: 1 << 20}, {Off: big, Len: backend.ToEnd}, {Off: big - 3, Len: backend.ToEnd}, {Len: big},
	} {
		got, err := b.part(t, "file", r, "")
		want := data[r.Off:]
		if r.Len >= 0 {
			want = want[:r.Len]
		}
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("range %+v: %d bytes, %v; want %d bytes", r, len(got), err, len(want))
		}
	}
}

func testPastEnd(t *testing.T, b bench) {
	b.seed(t, "file", []byte("0123456789"))
	for _, r := range []backend.Range{{Off: 11, Len: 1}, {Off: 10, Len: 1}, {Off: 5, Len: 6}, {Len: 11}, {Off: 11, Len: backend.ToEnd}, {Off: 1 << 62, Len: 1 << 62}} {
		_, err := b.part(t, "file", r, "")
		wantErr(t, "Open past the end", err, backend.ErrRange)
	}
	_, err := b.part(t, "file", backend.Range{Off: -1, Len: 1}, "")
	wantErr(t, "Open before the start", err, fs.ErrInvalid)
}

func testChangedSince(t *testing.T, b bench) {
	for _, next := range [][]byte{[]byte("OLD"), []byte("longer"), nil} {
		b.seed(t, "file", []byte("old"))
		info, err := b.Stat(t.Context(), "file")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := b.all(t, "file", info.Version); err != nil || string(got) != "old" {
			t.Errorf("pinned: %q, %v; want old, nil", got, err)
		}
		b.seed(t, "file", next)
		_, err = b.all(t, "file", info.Version)
		wantErr(t, "pinned, after a change", err, backend.ErrChanged)
		b.want(t, "file", next)
	}
}

func testChangedReading(t *testing.T, b bench) {
	before, after := pattern(3, big), pattern(4, big)
	b.seed(t, "file", before)
	body, err := b.Open(t.Context(), "file", backend.Range{Len: backend.ToEnd}, "")
	if err != nil {
		t.Fatal(err)
	}
	defer closeBody(t, body)
	first := make([]byte, 1000)
	if _, err := io.ReadFull(body, first); err != nil {
		t.Fatal(err)
	}
	b.seed(t, "file", after)
	rest, err := io.ReadAll(body)
	got := append(first, rest...)
	if !bytes.HasPrefix(before, got) {
		t.Error("the body mixes two versions")
	}
	if len(got) < big && !errors.Is(err, backend.ErrChanged) {
		t.Errorf("body ended after %d bytes with %v; want all of the old version or ErrChanged", len(got), err)
	}
}

func testCancelledBefore(t *testing.T, b bench) {
	b.seed(t, "file", []byte("x"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.Stat(ctx, "file")
	wantErr(t, "Stat", err, context.Canceled)
	_, err = b.Open(ctx, "file", backend.Range{}, "")
	wantErr(t, "Open", err, context.Canceled)
}

func testCancelledReading(t *testing.T, b bench) {
	b.seed(t, "file", pattern(5, big))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	body, err := b.Open(ctx, "file", backend.Range{Len: backend.ToEnd}, "")
	if err != nil {
		t.Fatal(err)
	}
	defer closeBody(t, body)
	if _, err := io.ReadFull(body, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	cancel()
	_, err = body.Read(make([]byte, 1000))
	wantErr(t, "Read", err, context.Canceled)
}

func testManyReaders(t *testing.T, b bench) {
	data := pattern(6, big)
	b.seed(t, "file", data)
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			r := backend.Range{Off: int64(i * 40001), Len: 50021}
			got, err := b.part(t, "file", r, "")
			if err != nil || !bytes.Equal(got, data[r.Off:r.Off+r.Len]) {
				t.Errorf("reader %d: %d bytes, %v", i, len(got), err)
			}
		})
	}
	wg.Wait()
}

func testCloseReading(t *testing.T, b bench) {
	b.seed(t, "file", pattern(7, big))
	body, err := b.Open(t.Context(), "file", backend.Range{Len: backend.ToEnd}, "")
	if err != nil {
		t.Fatal(err)
	}
	started, done := make(chan struct{}), make(chan error)
	go func() {
		p := make([]byte, 512)
		_, err := body.Read(p)
		close(started)
		for err == nil {
			_, err = body.Read(p)
		}
		done <- err
	}()
	<-started
	closeBody(t, body)
	if err := <-done; !errors.Is(err, fs.ErrClosed) && !errors.Is(err, io.EOF) {
		t.Errorf("Read beside Close: %v; want ErrClosed, or EOF if it was faster", err)
	}
	_, err = body.Read(make([]byte, 1))
	wantErr(t, "Read after Close", err, fs.ErrClosed)
	closeBody(t, body)
}

func closeBody(t *testing.T, body io.Closer) {
	t.Helper()
	if err := body.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// oddNames have characters that URLs, shells or sorting treat in their own way.
var oddNames = []backend.Key{
	"with space", "per%cent", "per%20cent", "plus+plus", "ümlaut-雪", "semi;colon", "question?", "hash#", "a&b=c", "quote'\"", "back\\slash", "tilde~", "colon:x", "*", "[x]",
}

func testOddNames(t *testing.T, b bench) {
	for i, name := range oddNames {
		b.seed(t, "d i+r/"+name, pattern(byte(i), 10+i))
	}
	for i, name := range oddNames {
		b.want(t, "d i+r/"+name, pattern(byte(i), 10+i))
	}
	b.wantAbsent(t, "d i+r/per cent") // no escaping of what looks escaped
	if !b.h.Properties.Lists {
		return
	}
	seen := map[backend.Key]bool{}
	for info, err := range b.List(t.Context(), "d i+r") {
		if err != nil {
			t.Fatal(err)
		}
		seen[info.Key] = true
	}
	for _, name := range oddNames {
		if !seen["d i+r/"+name] {
			t.Errorf("%q is not listed", name)
		}
	}
}
