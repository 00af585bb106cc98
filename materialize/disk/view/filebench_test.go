package view_test

import (
	"os"
	"testing"
	"time"

	"cosafs/materialize/disk/view"
)

// BenchmarkGrownRead reads a file and a view of it that is patched and grown, from
// front to end in turns. "ratio" is the view's throughput over the file's.
func BenchmarkGrownRead(b *testing.B) {
	const size = 64 << 20
	path := writeSparse(b, disk{size, []view.Extent{{Start: 0, End: 40 << 20}, {Start: 44 << 20, End: size}}}, 0)
	native, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	patch := view.Piece{Offset: 20<<20 - 100, Data: make([]byte, 1024)}
	im := view.Grow(view.Patch(openFile(b, path), patch), size+1)
	read(b, native, size) // into the page cache
	b.SetBytes(size)
	var ofFile, ofView time.Duration
	for b.Loop() {
		ofFile += read(b, native, size)
		ofView += read(b, im, size)
	}
	if err := native.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(ofFile.Seconds()/ofView.Seconds(), "ratio")
	b.ReportMetric(0, "ns/op") // of both readings, which says nothing
}

// BenchmarkOpen is what stands before the first byte: a sparse file of 1000 extents.
func BenchmarkOpen(b *testing.B) {
	var d disk
	for range 1000 {
		d.extents = append(d.extents, view.Extent{Start: d.size, End: d.size + 1})
		d.size += 128 << 10
	}
	path := writeSparse(b, d, 0)
	for b.Loop() {
		f, err := view.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
