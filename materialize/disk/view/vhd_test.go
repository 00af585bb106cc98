package view_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"cosafs/materialize/disk/view"
	"cosafs/test/need"
)

func openVHD(t *testing.T, base view.Image, o view.VHDOptions) view.Image {
	t.Helper()
	im, err := view.VHD(base, o)
	if err != nil {
		t.Fatal(err)
	}
	return im
}

// footer is a VHD's end.
func footer(t *testing.T, im view.Image) []byte {
	t.Helper()
	b := make([]byte, 512)
	if _, err := im.ReadAt(b, im.Size()-512); err != nil {
		t.Fatal(err)
	}
	return b
}

// Whatever the disk, its VHD is the file that qemu-img makes, but for the time,
// the UUID and so the checksum.
func TestVHDIsTheDisk(t *testing.T) {
	need.Tool(t, "qemu-img")
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 3))
			base := randomDisk(r)
			o := view.VHDOptions{Seed: "s", Time: time.Unix(1700000000, 0)}
			size := base.size
			if seed%2 == 1 {
				size += r.Int64N(3 << 30)
				o.Size = size
			}
			size = (size + 1<<20 - 1) >> 20 << 20
			im := openVHD(t, base, o)
			file := t.TempDir() + "/theirs"
			qemuImg(t, "convert", "-f", "raw", "-O", "vpc", "-o", "subformat=fixed,force_size", writeSparse(t, base, size), file)
			want := withFields(t, file, footer(t, im)[24:28], footer(t, im)[64:84])
			if fi, err := want.Stat(); err != nil || fi.Size() != im.Size() {
				t.Errorf("size %d, qemu's %d, %v", im.Size(), fi.Size(), err)
			}
			checkReads(t, r, im, want)
			if got := footer(t, im); string(got) != string(footerOf(t, want, size)) {
				t.Errorf("footer\n% x", got)
			}
			checkNext(t, im)
			if got := virtualSize(t, "vpc", writeSparse(t, im, 0)); got != size {
				t.Errorf("qemu sees %d bytes, want %d", got, size)
			}
		})
	}
}

// withFields opens a VHD after writing the fields that differ from one to the next:
// the time, and checksum and UUID.
func withFields(t *testing.T, file string, made, sumAndUUID []byte) *os.File {
	t.Helper()
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	fi, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	at := fi.Size() - 512
	if _, err := f.WriteAt(made, at+24); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(sumAndUUID, at+64); err != nil {
		t.Fatal(err)
	}
	return f
}

func footerOf(t *testing.T, f *os.File, at int64) []byte {
	t.Helper()
	b := make([]byte, 512)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVHDChecksum(t *testing.T) {
	f := footer(t, openVHD(t, disk{size: 1 << 20}, view.VHDOptions{Seed: "a"}))
	sum := ^binary.BigEndian.Uint32(f[64:])
	for i, b := range f {
		if i < 64 || i >= 68 {
			sum -= uint32(b)
		}
	}
	if sum != 0 {
		t.Errorf("the checksum is off by %d", int32(sum))
	}
}

func TestVHDIsReproducible(t *testing.T) {
	base := disk{size: 1 << 20}
	uuid := func(seed string) string {
		return string(footer(t, openVHD(t, base, view.VHDOptions{Seed: seed}))[68:84])
	}
	if a := uuid("a"); a != uuid("a") || a == uuid("b") {
		t.Error("the UUID isn't that of the seed")
	}
	for _, c := range []struct {
		made time.Time
		want uint32
	}{
		{time.Time{}, 0},
		{time.Date(2000, 1, 1, 0, 1, 0, 0, time.UTC), 60},
		{time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC), 1<<32 - 1},
	} {
		f := footer(t, openVHD(t, base, view.VHDOptions{Time: c.made}))
		if got := binary.BigEndian.Uint32(f[24:]); got != c.want {
			t.Errorf("%v is %d, want %d", c.made, got, c.want)
		}
	}
}

func TestVHDSize(t *testing.T) {
	const limit = 0xff000000 * 512
	openVHD(t, disk{size: limit}, view.VHDOptions{})
	for _, c := range []struct{ base, size int64 }{{1024, 512}, {0, -1}, {0, limit + 1}, {limit + 1, 0}} {
		if _, err := view.VHD(disk{size: c.base}, view.VHDOptions{Size: c.size}); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("a disk of %d as one of %d: %v, want ErrInvalid", c.base, c.size, err)
		}
	}
}

// Data at the disk's end and the footer after it are one extent.
func TestVHDNextAtTheEnd(t *testing.T) {
	data := view.Extent{Start: 4096, End: 1 << 20}
	im := openVHD(t, disk{1 << 20, []view.Extent{data}}, view.VHDOptions{})
	checkNext(t, im)
	if e, ok := im.Next(0); !ok || e != (view.Extent{Start: 4096, End: 1<<20 + 512}) {
		t.Errorf("Next(0) = %v, %v", e, ok)
	}
}
