package backendtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"sync"

	"cosafs/backend"
)

const big = 3 << 20 // more than the buffers of a connection hold

func testMissing(b bench) {
	b.seed("dir/file", []byte("x"))
	for _, key := range []backend.Key{"nothing", "dir/nothing", "no/dir/at/all", "dir", "dir/file/below"} {
		b.wantAbsent(key)
		_, err := b.all(key, "")
		b.wantErr("Open of "+string(key), err, fs.ErrNotExist)
	}
}

func testInvalidKey(b bench) {
	for _, key := range []backend.Key{"", ".", "/a", "a/", "a//b", "a/../b", "..", "a\x00b", "a\xffb"} {
		_, err := b.Stat(b.Context(), key)
		b.wantErr("Stat of "+string(key), err, fs.ErrInvalid)
		_, err = b.all(key, "")
		b.wantErr("Open of "+string(key), err, fs.ErrInvalid)
	}
}

func testStat(b bench) {
	b.seed("dir/file", pattern(1, 1000))
	info, err := b.Stat(b.Context(), "dir/file")
	if err != nil {
		b.Fatal(err)
	}
	if info.Key != "dir/file" || info.Size != 1000 || info.Dir || info.Version == "" {
		b.Errorf("Stat = %+v; want its key, 1000 bytes, no directory, some version", info)
	}
}

func testZeroLength(b bench) {
	b.seed("empty", nil)
	b.want("empty", nil)
	b.seed("full", []byte("full"))
	for _, off := range []int64{0, 2, 4} {
		got, err := b.part("full", backend.Range{Off: off}, "")
		if err != nil || len(got) != 0 {
			b.Errorf("0 bytes at %d: %q, %v; want none, nil", off, got, err)
		}
	}
	_, err := b.part("nothing", backend.Range{}, "")
	b.wantErr("0 bytes of nothing", err, fs.ErrNotExist)
}

func testRanges(b bench) {
	data := pattern(2, big)
	b.seed("file", data)
	for _, r := range []backend.Range{
		{Len: backend.ToEnd}, {Off: big - 1, Len: 1}, {Len: 1}, {Off: 1, Len: 4095}, {Off: 4095, Len: 2},
		{Off: 65537, Len: 1 << 20}, {Off: big, Len: backend.ToEnd}, {Off: big - 3, Len: backend.ToEnd}, {Len: big},
	} {
		got, err := b.part("file", r, "")
		want := data[r.Off:]
		if r.Len >= 0 {
			want = want[:r.Len]
		}
		if err != nil || !bytes.Equal(got, want) {
			b.Errorf("range %+v: %d bytes, %v; want %d bytes", r, len(got), err, len(want))
		}
	}
}

func testPastEnd(b bench) {
	b.seed("file", []byte("0123456789"))
	for _, r := range []backend.Range{{Off: 11, Len: 1}, {Off: 10, Len: 1}, {Off: 5, Len: 6}, {Len: 11}, {Off: 11, Len: backend.ToEnd}, {Off: 1 << 62, Len: 1 << 62}} {
		_, err := b.part("file", r, "")
		b.wantErr("Open past the end", err, backend.ErrRange)
	}
	_, err := b.part("file", backend.Range{Off: -1, Len: 1}, "")
	b.wantErr("Open before the start", err, fs.ErrInvalid)
}

func testChangedSince(b bench) {
	for _, next := range [][]byte{[]byte("OLD"), []byte("longer"), nil} {
		b.seed("file", []byte("old"))
		info, err := b.Stat(b.Context(), "file")
		if err != nil {
			b.Fatal(err)
		}
		if got, err := b.all("file", info.Version); err != nil || string(got) != "old" {
			b.Errorf("pinned: %q, %v; want old, nil", got, err)
		}
		b.seed("file", next)
		_, err = b.all("file", info.Version)
		b.wantErr("pinned, after a change", err, backend.ErrChanged)
		b.want("file", next)
	}
}

func testChangedReading(b bench) {
	before, after := pattern(3, big), pattern(4, big)
	b.seed("file", before)
	body, err := b.Open(b.Context(), "file", backend.Range{Len: backend.ToEnd}, "")
	if err != nil {
		b.Fatal(err)
	}
	defer b.closeBody(body)
	first := make([]byte, 1000)
	if _, err := io.ReadFull(body, first); err != nil {
		b.Fatal(err)
	}
	b.seed("file", after)
	rest, err := io.ReadAll(body)
	got := append(first, rest...)
	if !bytes.HasPrefix(before, got) {
		b.Error("the body mixes two versions")
	}
	if len(got) < big && !errors.Is(err, backend.ErrChanged) {
		b.Errorf("body ended after %d bytes with %v; want all of the old version or ErrChanged", len(got), err)
	}
}

func testCancelledBefore(b bench) {
	b.seed("file", []byte("x"))
	ctx, cancel := context.WithCancel(b.Context())
	cancel()
	_, err := b.Stat(ctx, "file")
	b.wantErr("Stat", err, context.Canceled)
	_, err = b.Open(ctx, "file", backend.Range{}, "")
	b.wantErr("Open", err, context.Canceled)
}

func testCancelledReading(b bench) {
	b.seed("file", pattern(5, big))
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	body, err := b.Open(ctx, "file", backend.Range{Len: backend.ToEnd}, "")
	if err != nil {
		b.Fatal(err)
	}
	defer b.closeBody(body)
	if _, err := io.ReadFull(body, make([]byte, 1000)); err != nil {
		b.Fatal(err)
	}
	cancel()
	_, err = body.Read(make([]byte, 1000))
	b.wantErr("Read", err, context.Canceled)
}

func testManyReaders(b bench) {
	data := pattern(6, big)
	b.seed("file", data)
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			r := backend.Range{Off: int64(i * 40001), Len: 50021}
			got, err := b.part("file", r, "")
			if err != nil || !bytes.Equal(got, data[r.Off:r.Off+r.Len]) {
				b.Errorf("reader %d: %d bytes, %v", i, len(got), err)
			}
		})
	}
	wg.Wait()
}

func testCloseReading(b bench) {
	b.seed("file", pattern(7, big))
	body, err := b.Open(b.Context(), "file", backend.Range{Len: backend.ToEnd}, "")
	if err != nil {
		b.Fatal(err)
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
	b.closeBody(body)
	if err := <-done; !errors.Is(err, fs.ErrClosed) && !errors.Is(err, io.EOF) {
		b.Errorf("Read beside Close: %v; want ErrClosed, or EOF if it was faster", err)
	}
	_, err = body.Read(make([]byte, 1))
	b.wantErr("Read after Close", err, fs.ErrClosed)
	b.closeBody(body)
}

func (b bench) closeBody(body io.Closer) {
	b.Helper()
	if err := body.Close(); err != nil {
		b.Errorf("Close: %v", err)
	}
}

// oddNames have characters that URLs, shells or sorting treat in their own way.
var oddNames = []backend.Key{
	"with space", "per%cent", "per%20cent", "plus+plus", "ümlaut-雪", "semi;colon", "question?", "hash#", "a&b=c", "quote'\"", "back\\slash", "tilde~", "colon:x", "*", "[x]",
}

func testOddNames(b bench) {
	for i, name := range oddNames {
		b.seed("d i+r/"+name, pattern(byte(i), 10+i))
	}
	for i, name := range oddNames {
		b.want("d i+r/"+name, pattern(byte(i), 10+i))
	}
	b.wantAbsent("d i+r/per cent") // no escaping of what looks escaped
	if !b.h.Properties.Lists {
		return
	}
	seen := map[backend.Key]bool{}
	for info, err := range b.List(b.Context(), "d i+r") {
		if err != nil {
			b.Fatal(err)
		}
		seen[info.Key] = true
	}
	for _, name := range oddNames {
		if !seen["d i+r/"+name] {
			b.Errorf("%q is not listed", name)
		}
	}
}
