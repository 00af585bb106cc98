package view

import (
	"fmt"
	"io/fs"
	"slices"
	"sort"
)

// A nextFunc gives extents as the method Next of an [Image] does, but extents that
// touch may be several.
type nextFunc func(off int64) (Extent, bool)

// extents are sorted, not empty, and don't touch.
type extents []Extent

// newExtents sorts and joins extents. The error is [fs.ErrInvalid] if one isn't a
// range of a file of size bytes.
func newExtents(list []Extent, size int64) (extents, error) {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b Extent) int { return int(min(1, max(-1, a.Start-b.Start))) })
	var joined extents
	for _, e := range list {
		if e.Start < 0 || e.End < e.Start || e.End > size {
			return nil, fmt.Errorf("extent from %d to %d: not in a file of %d bytes: %w", e.Start, e.End, size, fs.ErrInvalid)
		}
		joined = joined.add(e)
	}
	return joined, nil
}

// add adds an extent that begins at the last one's start or after it.
func (x extents) add(e Extent) extents {
	if e.Start == e.End {
		return x
	}
	if n := len(x); n > 0 && e.Start <= x[n-1].End {
		x[n-1].End = max(x[n-1].End, e.End)
		return x
	}
	return append(x, e)
}

// next is a [nextFunc].
func (x extents) next(off int64) (Extent, bool) {
	i := sort.Search(len(x), func(i int) bool { return x[i].End > off })
	if i == len(x) {
		return Extent{}, false
	}
	return Extent{max(off, x[i].Start), x[i].End}, true
}

// joined makes one extent of those that touch.
func joined(off int64, next nextFunc) (Extent, bool) {
	first, ok := next(off)
	for ok {
		e, more := next(first.End)
		if !more || e.Start > first.End {
			break
		}
		first.End = e.End
	}
	return first, ok
}

// union gives the extents of both.
func union(a, b nextFunc) nextFunc {
	return func(off int64) (Extent, bool) {
		x, okX := a(off)
		y, okY := b(off)
		if !okX || okY && y.Start < x.Start {
			return y, okY
		}
		return x, okX
	}
}
