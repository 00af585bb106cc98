package view

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// A File is a file on disk, most often a sparse one, as an [Image]. What is done to
// the file after it was opened is not noticed, but for a cut: reads of what is gone
// fail with [io.ErrUnexpectedEOF].
type File struct {
	file    *os.File
	size    int64
	extents extents
}

// Open opens a regular file. Its extents are what the file system says by SEEK_DATA
// (lseek(2)), asked once: space that was allocated and not written may count as data,
// and where the file system doesn't know of holes, everything does.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	found, err := findData(f)
	if err == nil {
		var im *File
		if im, err = NewFile(f, found); err == nil {
			return im, nil
		}
	}
	return nil, errors.Join(err, f.Close())
}

// NewFile makes an Image of an open file, of which the caller knows the extents: all
// else in it must be zeros. Closing the File closes f. The error is [fs.ErrInvalid] if
// f isn't a regular file or an extent not in it; f stays open then.
func NewFile(f *os.File, list []Extent) (*File, error) {
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "view", Path: f.Name(), Err: fmt.Errorf("not a regular file: %w", fs.ErrInvalid)}
	}
	x, err := newExtents(list, fi.Size())
	if err != nil {
		return nil, &fs.PathError{Op: "view", Path: f.Name(), Err: err}
	}
	return &File{f, fi.Size(), x}, nil
}

// Close closes the file; reads fail with [fs.ErrClosed] from then on.
func (f *File) Close() error { return f.file.Close() }

// Size is the size that the file had when it was opened.
func (f *File) Size() int64 { return f.size }

// Next is that of [Image].
func (f *File) Next(off int64) (Extent, bool) { return f.extents.next(off) }

// Run is that of a runner.
func (f *File) Run(off int64) Run { return Run{Extent{off, f.size}, f.file, off} }

// ReadAt is that of [io.ReaderAt].
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read %s at %d: %w", f.file.Name(), off, fs.ErrInvalid)
	}
	within := p[:max(0, min(int64(len(p)), f.size-off))]
	n, err := f.file.ReadAt(within, off)
	switch {
	case n == len(p):
		return n, nil
	case n == len(within):
		return n, io.EOF
	case errors.Is(err, io.EOF):
		return n, fmt.Errorf("%s was cut at byte %d of %d: %w", f.file.Name(), off+int64(n), f.size, io.ErrUnexpectedEOF)
	default:
		return n, err
	}
}

// findData asks the file system where a file has data. It moves the file's offset.
func findData(f *os.File) ([]Extent, error) {
	var found []Extent
	for end := int64(0); ; {
		start, err := seek(f, end, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return found, nil // no data from there on
		}
		if err == nil {
			end, err = seek(f, start, unix.SEEK_HOLE)
		}
		if err != nil {
			return nil, err
		}
		found = append(found, Extent{start, end})
	}
}

// seek is lseek(2).
func seek(f *os.File, off int64, whence int) (int64, error) {
	at, err := unix.Seek(int(f.Fd()), off, whence)
	if err != nil {
		return 0, &fs.PathError{Op: "lseek", Path: f.Name(), Err: err}
	}
	return at, nil
}
