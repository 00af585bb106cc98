package view_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"cosafs/materialize/disk/view"
	"cosafs/test/need"
)

// framed gives a random image, some of them in a frame.
func framed(t *testing.T, r *rand.Rand) view.Image {
	t.Helper()
	m := randomModel(t, r, r.IntN(4))
	switch r.IntN(3) {
	case 0:
		return openQCOW2(t, m.Image, m.Size()+r.Int64N(1<<20))
	case 1:
		im, err := view.VHD(m.Image, view.VHDOptions{Seed: "x"})
		if err != nil {
			t.Fatal(err)
		}
		return im
	}
	return m.Image
}

// What an image says to lie in a file is there, and runs follow each other.
func TestRunsLieInTheirFiles(t *testing.T) {
	filed := 0
	for seed := range uint64(60) {
		im := framed(t, rand.New(rand.NewPCG(seed, 9)))
		for off := int64(0); off < im.Size(); {
			r := view.RunAt(im, off)
			if r.Start != off || r.End <= off || r.End > im.Size() {
				t.Fatalf("seed %d: run at %d of %d is %+v", seed, off, im.Size(), r)
			}
			if r.File != nil {
				filed++
				isThere(t, im, r)
			}
			off = r.End
		}
	}
	if filed < 100 {
		t.Errorf("%d runs in files only", filed)
	}
}

// isThere compares a run's bytes with those of its file, and what Source says with it.
func isThere(t *testing.T, im view.Image, r view.Run) {
	t.Helper()
	n := r.End - r.Start
	got, want := make([]byte, n), make([]byte, n)
	if _, err := r.File.ReadAt(got, r.At); err != nil {
		t.Fatal(err)
	}
	if _, err := im.ReadAt(want, r.Start); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%+v has other bytes than the image", r)
	}
	if f, at, ok := view.Source(im, r.Start+n/2, n-n/2); !ok || f != r.File || at != r.At+n/2 {
		t.Errorf("source of %d bytes at %d: %v %d, want it in %+v", n-n/2, r.Start+n/2, ok, at, r)
	}
	if _, _, ok := view.Source(im, r.Start, im.Size()-r.Start+1); ok {
		t.Errorf("bytes after the end lie in %+v", r)
	}
}

// On a file system whose files share blocks, an image becomes a file of next to no size.
func TestClone(t *testing.T) {
	dir := need.XFS(t)
	base := disk{64 << 20, []view.Extent{{Start: 1 << 20, End: 41 << 20}, {Start: 50<<20 + 777, End: 60 << 20}}}
	path := filepath.Join(dir, "base")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(base.size), view.Copy(t.Context(), f, base), f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
	patched := view.Patch(openFile(t, path), view.Piece{Offset: 5<<20 + 100, Data: []byte("another platform")})
	vhd, err := view.VHD(patched, view.VHDOptions{Seed: "x"})
	if err != nil {
		t.Fatal(err)
	}
	before := free(t, dir)
	for name, im := range map[string]view.Image{"raw": view.Grow(patched, 100<<20+5), "qcow2": openQCOW2(t, patched, 80<<20), "vhd": vhd} {
		isCloned(t, im, filepath.Join(dir, name))
	}
	if used := before - free(t, dir); used > 2<<20 {
		t.Errorf("three clones of 50 MiB took %d bytes", used)
	}
}

// isCloned clones an image and compares.
func isCloned(t *testing.T, im view.Image, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(view.Clone(f, im), f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, im.Size())
	if _, err := im.ReadAt(want, 0); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: other bytes", path)
	}
}

// Where files can't share blocks the error says so.
func TestCloneIsUnsupported(t *testing.T) {
	const memory = "/dev/shm" // a tmpfs, which can't
	from, err := os.CreateTemp(memory, "cosafs-from-")
	if err != nil {
		t.Skip(err)
	}
	defer func() { _ = errors.Join(from.Close(), os.Remove(from.Name())) }() // empty
	if err := from.Truncate(1 << 20); err != nil {
		t.Fatal(err)
	}
	im, err := view.NewFile(from, []view.Extent{{Start: 0, End: 1 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	to, err := os.OpenFile(memory, unix.O_TMPFILE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = to.Close() }() // has no name
	if err := view.Clone(to, im); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

// free is how many bytes a file system has free.
func free(t *testing.T, dir string) int64 {
	t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	return int64(st.Bfree) * st.Bsize
}
