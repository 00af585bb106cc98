package view

import (
	"fmt"
	"io"
	"io/fs"
	"sort"
)

// A readFunc fills p with what a section holds from its byte off on. It is never
// asked for more than that, and is safe for concurrent use.
type readFunc func(p []byte, off int64) error

// sections are a file, part by part.
type sections []section

// A section is the bytes of a file from start to end.
type section struct {
	start, end int64
	read       readFunc
	run        func(off int64) Run // that of a runner, by the section's own offsets; nil if all is computed
}

// add adds a section that is computed, after all that there are.
func (ss *sections) add(size int64, read readFunc) { ss.append(section{end: size, read: read}) }

// show adds a section that shows an image, with zeros at its end.
func (ss *sections) show(size int64, im Image) {
	ss.append(section{
		end: size, read: func(p []byte, off int64) error { return readPadded(im, p, off) },
		run: func(off int64) Run { return paddedRun(im, off, size) },
	})
}

// append adds a section that begins at 0 after all that there are.
func (ss *sections) append(s section) {
	s.start = ss.Size()
	s.end += s.start
	*ss = append(*ss, s)
}

// Run is that of a runner.
func (ss sections) Run(off int64) Run {
	s := ss[ss.at(off)]
	if s.run == nil {
		return computed(off, s.end)
	}
	return s.run(off - s.start).moved(s.start).until(s.end)
}

// at gives the section that has the byte at off, or their number if none does.
func (ss sections) at(off int64) int {
	return sort.Search(len(ss), func(i int) bool { return ss[i].end > off })
}

// Size is where the last section ends.
func (ss sections) Size() int64 {
	if len(ss) == 0 {
		return 0
	}
	return ss[len(ss)-1].end
}

// ReadAt is that of [io.ReaderAt].
func (ss sections) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, fmt.Errorf("read at %d: %w", off, fs.ErrInvalid)
	}
	for i := ss.at(off); n < len(p); i++ {
		if i >= len(ss) {
			return n, io.EOF
		}
		at := off + int64(n)
		part := p[n:min(int64(len(p)), ss[i].end-off)]
		if err := ss[i].read(part, at-ss[i].start); err != nil {
			return n, err
		}
		n += len(part)
	}
	return n, nil
}
