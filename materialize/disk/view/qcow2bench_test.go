package view_test

import (
	"io"
	"os"
	"testing"
	"time"

	"cosafs/materialize/disk/view"
)

// A fileDisk is a raw disk in a file.
type fileDisk struct {
	*os.File
	disk
}

func (f fileDisk) ReadAt(p []byte, off int64) (int, error) { return f.File.ReadAt(p, off) }

// BenchmarkQCOW2Read reads a file and its view from front to end in turns. "ratio"
// is the view's throughput over the file's, which is to be 0.9 at least.
func BenchmarkQCOW2Read(b *testing.B) {
	base := disk{64 << 20, []view.Extent{{Start: 0, End: 30 << 20}, {Start: 31 << 20, End: 64 << 20}}}
	f, err := os.Open(writeSparse(b, base, 0))
	if err != nil {
		b.Fatal(err)
	}
	im := openQCOW2(b, fileDisk{f, base}, base.size)
	read(b, f, base.size) // into the page cache
	b.SetBytes(im.Size())
	var native, viewed time.Duration
	for b.Loop() {
		native += read(b, f, base.size)
		viewed += read(b, im, im.Size())
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	perByte := native.Seconds() / float64(base.size)
	b.ReportMetric(perByte/(viewed.Seconds()/float64(im.Size())), "ratio")
	b.ReportMetric(0, "ns/op") // of both readings, which says nothing
}

// read reads everything as a copy does, 1 MiB at a time, and says how long it took.
func read(b *testing.B, from io.ReaderAt, size int64) time.Duration {
	b.Helper()
	begin, buf := time.Now(), make([]byte, 1<<20)
	for off := int64(0); off < size; off += int64(len(buf)) {
		if _, err := from.ReadAt(buf[:min(int64(len(buf)), size-off)], off); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(begin)
}
