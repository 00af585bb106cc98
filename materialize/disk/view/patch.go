package view

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"sort"
)

// A Piece is bytes that a patched image has at an offset.
type Piece struct {
	Offset int64
	Data   []byte // must not change any more
}

// end is where a piece ends.
func (p Piece) end() int64 { return p.Offset + int64(len(p.Data)) }

// patched is an image with some bytes replaced.
type patched struct {
	Image
	pieces []Piece // sorted, not empty
	next   nextFunc
	err    error // why the pieces don't fit
}

// Patch shows base with pieces in place of its own bytes. They count as data. If they
// overlap, or aren't all within base, each read fails with [fs.ErrInvalid]: showing
// some of them would be another image than the one that was meant.
func Patch(base Image, pieces ...Piece) Image {
	pieces = slices.DeleteFunc(slices.Clone(pieces), func(p Piece) bool { return len(p.Data) == 0 })
	slices.SortFunc(pieces, func(a, b Piece) int { return cmp.Compare(a.Offset, b.Offset) })
	var data extents
	end := int64(0)
	for _, p := range pieces {
		if p.Offset < end || p.end() > base.Size() {
			return &patched{Image: base, next: base.Next, err: fmt.Errorf(
				"patch from %d to %d: must be between %d and %d: %w", p.Offset, p.end(), end, base.Size(), fs.ErrInvalid)}
		}
		end = p.end()
		data = data.add(Extent{p.Offset, end})
	}
	return &patched{Image: base, pieces: pieces, next: union(base.Next, data.next)}
}

// Next is that of [Image].
func (im *patched) Next(off int64) (Extent, bool) { return joined(off, im.next) }

// Run is that of a runner.
func (im *patched) Run(off int64) Run {
	i := im.after(off)
	switch {
	case im.err != nil:
		return computed(off, im.Size())
	case i == len(im.pieces):
		return RunAt(im.Image, off)
	case im.pieces[i].Offset <= off:
		return computed(off, im.pieces[i].end())
	}
	return RunAt(im.Image, off).until(im.pieces[i].Offset)
}

// after gives the first piece that ends after off, or their number if none does.
func (im *patched) after(off int64) int {
	return sort.Search(len(im.pieces), func(i int) bool { return im.pieces[i].end() > off })
}

// ReadAt is that of [io.ReaderAt].
func (im *patched) ReadAt(p []byte, off int64) (int, error) {
	if im.err != nil {
		return 0, im.err
	}
	n, err := im.Image.ReadAt(p, off)
	end := off + int64(n)
	for _, piece := range im.pieces[im.after(off):] {
		if piece.Offset >= end {
			break
		}
		from := max(off, piece.Offset)
		copy(p[from-off:n], piece.Data[from-piece.Offset:])
	}
	return n, err
}
