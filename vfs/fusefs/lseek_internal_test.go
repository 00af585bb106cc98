package fusefs

import (
	"context"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// A sparseBlob is of 100 bytes, with data from 10 to 20, to 30 right after, and from 50
// to 60.
type sparseBlob struct{}

func (sparseBlob) ReadAt(_ context.Context, p []byte, _ int64) (int, error) { return len(p), nil }
func (sparseBlob) Size() int64                                              { return 100 }
func (sparseBlob) LocalFile() (*os.File, bool)                              { return nil, false }
func (sparseBlob) Close() error                                             { return nil }

func (sparseBlob) Data(off int64) (start, end int64, ok bool) {
	for _, r := range [][2]int64{{10, 20}, {20, 30}, {50, 60}} {
		if off < r[1] {
			return max(off, r[0]), r[1], true
		}
	}
	return 0, 0, false
}

// Answers are those of lseek(2) on a file with the same holes.
func TestLseekOfASparseBlob(t *testing.T) {
	h := &handle{blob: sparseBlob{}}
	for _, tt := range []struct {
		off, whence, want int
		errno             unix.Errno
	}{
		{0, unix.SEEK_DATA, 10, 0},
		{15, unix.SEEK_DATA, 15, 0},
		{30, unix.SEEK_DATA, 50, 0},
		{60, unix.SEEK_DATA, 0, unix.ENXIO},
		{100, unix.SEEK_DATA, 0, unix.ENXIO},
		{0, unix.SEEK_HOLE, 0, 0},
		{10, unix.SEEK_HOLE, 30, 0},
		{25, unix.SEEK_HOLE, 30, 0},
		{35, unix.SEEK_HOLE, 35, 0},
		{55, unix.SEEK_HOLE, 60, 0},
		{99, unix.SEEK_HOLE, 99, 0},
		{100, unix.SEEK_HOLE, 0, unix.ENXIO},
	} {
		got, errno := h.Lseek(t.Context(), uint64(tt.off), uint32(tt.whence))
		if got != uint64(tt.want) || errno != tt.errno {
			t.Errorf("lseek %d, whence %d: %d, %v; want %d, %v", tt.off, tt.whence, got, errno, tt.want, tt.errno)
		}
	}
}
