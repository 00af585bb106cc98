package view_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"testing"

	"cosafs/materialize/disk/view"
)

// A disk is an Image without memory: bytes in extents are a hash of their place.
type disk struct {
	size    int64
	extents []view.Extent
}

func (d disk) Size() int64 { return d.size }

func (d disk) Next(off int64) (view.Extent, bool) {
	i := sort.Search(len(d.extents), func(i int) bool { return d.extents[i].End > off })
	if i == len(d.extents) {
		return view.Extent{}, false
	}
	e := d.extents[i]
	return view.Extent{Start: max(off, e.Start), End: e.End}, true
}

func (d disk) ReadAt(p []byte, off int64) (int, error) {
	n := max(0, min(int64(len(p)), d.size-off))
	clear(p[:n])
	for at := off; at < off+n; {
		e, ok := d.Next(at)
		if !ok {
			break
		}
		for at = e.Start; at < min(e.End, off+n); at++ {
			p[at-off] = byte(uint64(at+1)*0x9e3779b97f4a7c15>>56) | 1
		}
	}
	if n < int64(len(p)) {
		return int(n), io.EOF
	}
	return int(n), nil
}

// randomDisk is a disk of up to 24 MiB with extents that are small, large, touch
// one cluster or neighbours. Some disks have a GiB of zeros between them.
func randomDisk(r *rand.Rand) disk {
	var d disk
	for range r.IntN(12) {
		start := d.size
		if r.IntN(3) > 0 || start > 0 {
			start += 1 + r.Int64N(1<<r.IntN(21))
		}
		d.size = start + 1 + r.Int64N(1<<r.IntN(20))
		d.extents = append(d.extents, view.Extent{Start: start, End: d.size})
		if r.IntN(20) == 0 {
			d.size += 1 << 30 // over two L2 tables
		}
	}
	if r.IntN(2) == 0 {
		d.size += r.Int64N(1 << 20)
	}
	return d
}

// writeSparse writes an image to a file of at least size bytes, without its holes.
func writeSparse(tb testing.TB, im view.Image, size int64) string {
	tb.Helper()
	f, err := os.Create(filepath.Join(tb.TempDir(), "image"))
	if err != nil {
		tb.Fatal(err)
	}
	for e, ok := im.Next(0); ok; e, ok = im.Next(e.End) {
		to := io.NewOffsetWriter(f, e.Start)
		if _, err := io.Copy(to, io.NewSectionReader(im, e.Start, e.End-e.Start)); err != nil {
			tb.Fatal(err)
		}
	}
	if err := f.Truncate(max(size, im.Size())); err != nil {
		tb.Fatal(err)
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
	return f.Name()
}

// qemuImg runs qemu-img, which must succeed, and gives its output.
func qemuImg(t *testing.T, args ...string) []byte {
	t.Helper()
	var out, said bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "qemu-img", args...)
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("qemu-img %q: %v\n%s%s", args, err, &out, &said)
	}
	return out.Bytes()
}

// virtualSize asks qemu-img for the size of the disk in a file.
func virtualSize(t *testing.T, format, file string) int64 {
	t.Helper()
	var info struct {
		VirtualSize int64 `json:"virtual-size"`
	}
	if err := json.Unmarshal(qemuImg(t, "info", "--output=json", "-f", format, file), &info); err != nil {
		t.Fatal(err)
	}
	return info.VirtualSize
}

// checkReads reads at random from a view, and compares with what it must be.
func checkReads(t *testing.T, r *rand.Rand, im view.Image, want io.ReaderAt) {
	t.Helper()
	got, ref := make([]byte, 300<<10), make([]byte, 300<<10)
	for range 60 {
		off := r.Int64N(im.Size() + 1)
		if r.IntN(3) == 0 {
			off &^= 65535
		}
		n := r.IntN(1 << (1 + r.IntN(18)))
		gotN, gotErr := im.ReadAt(got[:n], off)
		refN, refErr := want.ReadAt(ref[:n], off)
		if n == 0 {
			continue // whether reading nothing at the end is EOF is free
		}
		if gotN != refN || !errors.Is(gotErr, refErr) || !bytes.Equal(got[:gotN], ref[:refN]) {
			t.Fatalf("read of %d at %d: %d, %v; want %d, %v, or the bytes differ", n, off, gotN, gotErr, refN, refErr)
		}
	}
}

// checkNext checks that a view's extents are in order, don't touch, and that only
// zeros are between them.
func checkNext(t *testing.T, im view.Image) {
	t.Helper()
	end := int64(-1)
	for off := int64(0); ; {
		e, ok := im.Next(off)
		if !ok {
			e.Start = im.Size()
		} else if e.Start <= end || e.End <= e.Start || e.End > im.Size() {
			t.Fatalf("Next(%d) = %v after an extent that ended at %d of %d", off, e, end, im.Size())
		}
		hole := make([]byte, min(e.Start-off, 4<<20))
		if _, err := im.ReadAt(hole, off); err != nil {
			t.Fatal(err)
		}
		if len(bytes.Trim(hole, "\x00")) > 0 {
			t.Fatalf("bytes that aren't zero in the hole from %d to %d", off, e.Start)
		}
		if !ok {
			return
		}
		if mid, _ := im.Next(e.End - 1); mid != (view.Extent{Start: e.End - 1, End: e.End}) {
			t.Fatalf("Next(%d) = %v, in an extent that ends at %d", e.End-1, mid, e.End)
		}
		off, end = e.End, e.End
	}
}
