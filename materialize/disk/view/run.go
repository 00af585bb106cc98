package view

import "os"

// A Run is bytes of an image that follow each other in a file too.
type Run struct {
	Extent
	File *os.File // nil: the bytes are computed
	At   int64    // where in File the first lies
}

// a runner is an [Image] that knows where its bytes lie. Run gives those from off on,
// which is before its end, up to where it has to be asked again.
type runner interface{ Run(off int64) Run }

// RunAt tells where the bytes of an image from off on lie, which is before its end. The
// file is the image's: it is open for as long as the image is. Of an image that doesn't
// know, all is computed.
func RunAt(im Image, off int64) Run {
	if r, ok := im.(runner); ok {
		return r.Run(off)
	}
	return computed(off, im.Size())
}

func computed(off, end int64) Run { return Run{Extent: Extent{off, end}} }

// moved is the run where its image begins at an offset of another one.
func (r Run) moved(by int64) Run {
	r.Start, r.End = r.Start+by, r.End+by
	return r
}

// until is the run cut off at an offset.
func (r Run) until(end int64) Run {
	r.End = min(r.End, end)
	return r
}

// paddedRun is RunAt as if zeros without end came after the image.
func paddedRun(im Image, off, end int64) Run {
	if off >= im.Size() {
		return computed(off, end)
	}
	return RunAt(im, off).until(end)
}

// Source gives the file that the n bytes of an image at off lie in as they are, and
// where in it; false if some are computed, or they lie in several places.
func Source(im Image, off, n int64) (f *os.File, at int64, ok bool) {
	if off < 0 || n <= 0 || off+n > im.Size() {
		return nil, 0, false
	}
	r := RunAt(im, off)
	return r.File, r.At, r.File != nil && r.End >= off+n
}
