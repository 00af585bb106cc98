package view_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
	"testing/iotest"

	"cosafs/materialize/disk/view"
	"cosafs/test/need"
)

func openQCOW2(tb testing.TB, base view.Image, size int64) view.Image {
	tb.Helper()
	im, err := view.QCOW2(base, size)
	if err != nil {
		tb.Fatal(err)
	}
	return im
}

// checkQCOW2 asks qemu-img whether a file is sound, which it doesn't say by its
// exit code where a repair by qemu would be free.
func checkQCOW2(t *testing.T, file string) {
	t.Helper()
	out := qemuImg(t, "check", "--output=json", "-f", "qcow2", file)
	var found map[string]any
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"leaks", "corruptions", "check-errors"} {
		if n, ok := found[bad]; ok && n != 0.0 {
			t.Errorf("qemu-img check: %s", out)
		}
	}
}

// Whatever the disk, qemu sees the same bytes in the view and no fault.
func TestQCOW2IsTheDisk(t *testing.T) {
	need.Tool(t, "qemu-img")
	for seed := range uint64(24) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 2))
			base := randomDisk(r)
			size := base.size
			if seed%2 == 1 {
				size += r.Int64N(3 << 30)
			}
			im := openQCOW2(t, base, size)
			file := writeSparse(t, im, 0)
			checkQCOW2(t, file)
			whole := (size + 511) / 512 * 512
			if got := virtualSize(t, "qcow2", file); got != whole {
				t.Errorf("qemu sees %d bytes, want %d", got, whole)
			}
			qemuImg(t, "compare", "-f", "raw", "-F", "qcow2", writeSparse(t, base, whole), file)
			checkNext(t, im)
			written, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			checkReads(t, r, im, written)
			if err := written.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// The header is what qemu-img writes, but for where the tables are.
func TestQCOW2Header(t *testing.T) {
	need.Tool(t, "qemu-img")
	base := disk{3 << 30, []view.Extent{{Start: 70000, End: 80000}, {Start: 2 << 30, End: 2<<30 + 1}}}
	theirs := t.TempDir() + "/theirs"
	qemuImg(t, "convert", "-f", "raw", "-O", "qcow2", writeSparse(t, base, 0), theirs)
	f, err := os.Open(theirs)
	if err != nil {
		t.Fatal(err)
	}
	var want, got [112]byte
	if _, err := f.ReadAt(want[:], 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := openQCOW2(t, base, base.size).ReadAt(got[:], 0); err != nil {
		t.Fatal(err)
	}
	clear(want[40:56]) // offsets of the L1 and the refcount table
	clear(got[40:56])
	if got != want {
		t.Errorf("header\n% x\nwant\n% x", got, want)
	}
}

// More clusters than one refcount block counts, about as many, and far apart ones.
func TestQCOW2Large(t *testing.T) {
	need.Tool(t, "qemu-img")
	start := view.Extent{Start: 1 << 40, End: 1<<40 + 5<<30}
	checkLarge(t, disk{6 << 40, []view.Extent{start, {Start: 6<<40 - 1, End: 6 << 40}}})
	for less := range int64(12) {
		size := 2<<30 - less<<16 // a refcount block counts 2 GiB
		checkLarge(t, disk{size, []view.Extent{{Start: 0, End: size}}})
	}
}

// checkLarge checks a view whose data is too much to be written: qemu-img check
// reads tables only, which are in front.
func checkLarge(t *testing.T, base disk) {
	t.Helper()
	im := openQCOW2(t, base, base.size)
	f, err := os.Create(t.TempDir() + "/large")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(f, io.NewSectionReader(im, 0, 2<<20)); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(im.Size()); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	checkQCOW2(t, f.Name())
	var got, want [65536]byte
	if _, err := im.ReadAt(got[:], im.Size()-65536); err != nil {
		t.Fatal(err)
	}
	if _, err := base.ReadAt(want[:], base.size-65536); err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Error("the last cluster isn't the disk's last")
	}
}

// An 8 GiB disk with holes everywhere costs few MiB.
func TestQCOW2Memory(t *testing.T) {
	base := disk{size: 8 << 30}
	for at := int64(0); at < base.size; at += 128 << 10 {
		base.extents = append(base.extents, view.Extent{Start: at, End: at + 1})
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	im := openQCOW2(t, base, base.size)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if used := int64(after.HeapAlloc) - int64(before.HeapAlloc); used > 4<<20 {
		t.Errorf("the view of %d bytes costs %d bytes of memory", im.Size(), used)
	}
	runtime.KeepAlive(base)
}

func TestQCOW2Reader(t *testing.T) {
	base := randomDisk(rand.New(rand.NewPCG(1, 1)))
	im := openQCOW2(t, base, base.size)
	content, err := io.ReadAll(io.NewSectionReader(im, 0, im.Size()))
	if err != nil {
		t.Fatal(err)
	}
	if err := iotest.TestReader(io.NewSectionReader(im, 0, im.Size()), content); err != nil {
		t.Error(err)
	}
}

func TestQCOW2Size(t *testing.T) {
	for _, c := range []struct{ base, size int64 }{{1024, 512}, {1, 0}, {0, -1}, {0, 1<<51 + 1}} {
		if _, err := view.QCOW2(disk{size: c.base}, c.size); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("a disk of %d as one of %d: %v, want ErrInvalid", c.base, c.size, err)
		}
	}
}

// failing is a disk whose reads end in an error after a few bytes.
type failing struct {
	disk
	err error
}

func (f failing) ReadAt([]byte, int64) (int, error) { return 3, f.err }

func TestViewsPassErrors(t *testing.T) {
	base := disk{1 << 20, []view.Extent{{Start: 0, End: 1 << 20}}}
	for _, c := range []struct{ err, want error }{
		{fs.ErrPermission, fs.ErrPermission},
		{io.EOF, io.ErrUnexpectedEOF},
	} {
		for name, im := range bothViews(t, failing{base, c.err}) {
			if _, err := im.ReadAt(make([]byte, im.Size()), 0); !errors.Is(err, c.want) {
				t.Errorf("%s of a disk that fails with %v: %v", name, c.err, err)
			}
			if _, err := im.ReadAt(make([]byte, 1), -1); !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("%s read before its start: %v", name, err)
			}
		}
	}
}

func bothViews(t *testing.T, base view.Image) map[string]view.Image {
	t.Helper()
	return map[string]view.Image{"qcow2": openQCOW2(t, base, base.Size()), "VHD": openVHD(t, base, view.VHDOptions{})}
}
