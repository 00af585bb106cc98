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
}

// add adds a section after all that there are.
func (ss *sections) add(size int64, read readFunc) {
	start := ss.Size()
	*ss = append(*ss, section{start, start + size, read})
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
	for i := sort.Search(len(ss), func(i int) bool { return ss[i].end > off }); n < len(p); i++ {
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
