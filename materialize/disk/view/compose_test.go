package view_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"golang.org/x/sync/errgroup"

	"cosafs/materialize/disk/view"
)

// A model is an image, and the bytes that it must have.
type model struct {
	view.Image
	want []byte
}

// randomModel builds views of views, depth deep at most.
func randomModel(t *testing.T, r *rand.Rand, depth int) model {
	t.Helper()
	if depth == 0 {
		return randomLeaf(t, r)
	}
	m := randomModel(t, r, depth-1)
	switch r.IntN(3) {
	case 0:
		return randomPatch(r, m)
	case 1:
		size := max(0, m.Size()-100) + r.Int64N(200000)
		more := max(0, size-m.Size())
		return model{view.Grow(m.Image, size), append(m.want, make([]byte, more)...)}
	default:
		parts, want := []view.Image{m.Image}, m.want
		for range r.IntN(4) {
			next := randomModel(t, r, r.IntN(depth))
			parts, want = append(parts, next.Image), append(want, next.want...)
		}
		return model{view.Concat(parts...), want}
	}
}

// randomLeaf is a sparse file, or some bytes; often its end is a hole.
func randomLeaf(t *testing.T, r *rand.Rand) model {
	t.Helper()
	if r.IntN(3) == 0 {
		b := randomBytes(r, r.IntN(10000))
		return model{view.Bytes(b), b}
	}
	want := make([]byte, r.IntN(600000))
	var extents []view.Extent
	for at := r.Int64N(100000); at < int64(len(want)); at += 1 + r.Int64N(150000) {
		n := copy(want[at:], randomBytes(r, 1+r.IntN(50000)))
		extents = append(extents, view.Extent{Start: at, End: at + int64(n)})
	}
	file := filepath.Join(t.TempDir(), "leaf")
	writeExtents(t, file, want, extents)
	return model{openFile(t, file), want}
}

func randomPatch(r *rand.Rand, m model) model {
	want := bytes.Clone(m.want)
	var pieces []view.Piece
	for at := r.IntN(5000); at < len(want); at += r.IntN(100000) {
		data := randomBytes(r, min(r.IntN(3000), len(want)-at))
		pieces = append(pieces, view.Piece{Offset: int64(at), Data: data})
		at += copy(want[at:], data)
	}
	r.Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })
	return model{view.Patch(m.Image, pieces...), want}
}

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(1 + r.IntN(255))
	}
	return b
}

// writeExtents makes a sparse file of some bytes, of which only extents are data.
func writeExtents(t *testing.T, file string, b []byte, extents []view.Extent) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(int64(len(b))); err != nil {
		t.Fatal(err)
	}
	for _, e := range extents {
		if _, err := f.WriteAt(b[e.Start:e.End], e.Start); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// Whatever views are made of, they read as the bytes that they stand for.
func TestViewsOfViews(t *testing.T) {
	for seed := range uint64(150) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			m := randomModel(t, r, r.IntN(5))
			if m.Size() != int64(len(m.want)) {
				t.Fatalf("size %d, want %d", m.Size(), len(m.want))
			}
			checkNext(t, m)
			checkReads(t, r, m, bytes.NewReader(m.want))
			got, err := io.ReadAll(view.Reader(t.Context(), m))
			if err != nil || !bytes.Equal(got, m.want) {
				t.Errorf("Reader: %d bytes of %d, %v, or they differ", len(got), len(m.want), err)
			}
			copied := make(memory, len(m.want))
			if err := view.Copy(t.Context(), copied, m); err != nil || !bytes.Equal(copied, m.want) {
				t.Errorf("Copy: %v, or the bytes differ", err)
			}
		})
	}
}

// memory is a file that can't grow.
type memory []byte

func (m memory) WriteAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > int64(len(m)) {
		return 0, io.ErrShortWrite
	}
	return copy(m[off:], p), nil
}

// Each kind of view keeps to the contract of io.ReaderAt.
func TestReaderAt(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	leaf := randomLeaf(t, r)
	both := append(bytes.Clone(leaf.want), "abc"...)
	patched := append([]byte("123"), leaf.want[3:]...)
	for name, m := range map[string]model{
		"file":   leaf,
		"bytes":  {view.Bytes(both), both},
		"concat": {view.Concat(leaf.Image, view.Bytes([]byte("abc"))), both},
		"grow":   {view.Grow(leaf.Image, leaf.Size()+9), append(bytes.Clone(leaf.want), make([]byte, 9)...)},
		"patch":  {view.Patch(leaf.Image, view.Piece{Data: []byte("123")}), patched},
		"none":   {view.Concat(), nil},
	} {
		if err := iotest.TestReader(io.NewSectionReader(m, 0, m.Size()), m.want); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		checkEnds(t, name, m)
	}
}

// checkEnds reads where an image ends, and before it begins.
func checkEnds(t *testing.T, name string, m model) {
	t.Helper()
	b := make([]byte, 2)
	for over := range int64(3) {
		if n, err := m.ReadAt(b, m.Size()+over); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("%s: read %d bytes after its end: %d, %v; want 0, EOF", name, over, n, err)
		}
	}
	if m.Size() > 0 {
		if n, err := m.ReadAt(b, m.Size()-1); n != 1 || !errors.Is(err, io.EOF) || b[0] != m.want[m.Size()-1] {
			t.Errorf("%s: read of the last byte and one more: %d, %v", name, n, err)
		}
	}
	if _, err := m.ReadAt(b, -1); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("%s: read before its start: %v, want ErrInvalid", name, err)
	}
}

func TestConcurrentReads(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	m := randomPatch(r, randomModel(t, r, 4))
	var g errgroup.Group
	for i := range 8 {
		g.Go(func() error {
			r, b := rand.New(rand.NewPCG(uint64(i), 0)), make([]byte, 20000)
			for range 200 {
				off := r.Int64N(m.Size())
				n, err := m.ReadAt(b, off)
				if err != nil && !errors.Is(err, io.EOF) {
					return err
				}
				if !bytes.Equal(b[:n], m.want[off:][:min(len(b), len(m.want)-int(off))]) {
					return fmt.Errorf("read at %d: other bytes", off)
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

// Pieces that can't be right show nothing, rather than another image.
func TestPatchThatDoesNotFit(t *testing.T) {
	base := view.Bytes(make([]byte, 100))
	for name, pieces := range map[string][]view.Piece{
		"before":  {{Offset: -1, Data: []byte("ab")}},
		"after":   {{Offset: 99, Data: []byte("ab")}},
		"overlap": {{Offset: 9, Data: []byte("ab")}, {Offset: 8, Data: []byte("ab")}},
	} {
		im := view.Patch(base, pieces...)
		if n, err := im.ReadAt(make([]byte, 1), 50); n != 0 || !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%s: read %d, %v; want ErrInvalid", name, n, err)
		}
		if im.Size() != 100 {
			t.Errorf("%s: size %d", name, im.Size())
		}
	}
}

// Pieces side by side, and beside data, make one extent.
func TestExtentsAreJoined(t *testing.T) {
	base := view.Concat(view.Grow(view.Bytes(make([]byte, 10)), 30), view.Bytes(make([]byte, 10)))
	im := view.Patch(base, view.Piece{Offset: 10, Data: make([]byte, 5)}, view.Piece{Offset: 15, Data: make([]byte, 5)},
		view.Piece{Offset: 29, Data: make([]byte, 1)})
	for _, c := range []struct {
		off  int64
		want view.Extent
		ok   bool
	}{
		{0, view.Extent{Start: 0, End: 20}, true},
		{19, view.Extent{Start: 19, End: 20}, true},
		{20, view.Extent{Start: 29, End: 40}, true},
		{40, view.Extent{}, false},
	} {
		if e, ok := im.Next(c.off); e != c.want || ok != c.ok {
			t.Errorf("Next(%d) = %v, %v; want %v, %v", c.off, e, ok, c.want, c.ok)
		}
	}
}
