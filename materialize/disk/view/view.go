// Package view computes files from disks as they are read: a raw disk in the
// frame of a platform's format, with a few bytes patched. A view has no bytes of
// its own beside headers, and its size is known before anything is read.
package view

import "io"

// An Image is a file, or what a view computes as one. Its bytes never change, and it
// is safe for concurrent use.
type Image interface {
	// ReadAt is that of [io.ReaderAt]; bytes that no extent holds are zeros.
	io.ReaderAt
	// Size is the size in bytes.
	Size() int64
	// Next gives the first extent of data that ends after off, cut so that it
	// doesn't begin before off. What lies between extents is zeros. With no more
	// data ok is false. An extent may hold zeros; it is never empty.
	Next(off int64) (e Extent, ok bool)
}

// An Extent is the range of bytes from Start to End, which is not part of it.
type Extent struct{ Start, End int64 }
