package pack_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"cosafs/materialize/disk/pack"
	"cosafs/materialize/disk/view"
	"cosafs/test/need"
)

func tarOf(t *testing.T, im view.Image, name string, modified time.Time) view.Image {
	t.Helper()
	archive, err := pack.Tar(im, name, modified)
	if err != nil {
		t.Fatal(err)
	}
	return archive
}

// Whatever the file, its archive is the one that GNU tar writes: few regions, more
// than the header holds, an end that is no block's, offsets and sizes beyond octal.
func TestTarIsGNUTars(t *testing.T) {
	need.Tool(t, "tar")
	modified := time.Unix(1700000000, 0)
	for i, c := range []struct {
		size int64
		n    int
	}{
		{1 << 20, 0}, {1 << 20, 1}, {64 << 20, 3}, {64<<20 + 4095, 4}, {64<<20 + 1, 5},
		{256 << 20, 25}, {256 << 20, 26}, {1 << 30, 300}, {8 << 30, 5}, {8<<30 - 1, 5}, {17 << 30, 60},
	} {
		t.Run(fmt.Sprint(c.size, "-", c.n), func(t *testing.T) {
			path, im := sparse(t, rand.New(rand.NewPCG(uint64(i), 1)), c.size, c.n)
			theirs := filepath.Join(t.TempDir(), "theirs.tar")
			do(t, filepath.Dir(path), nil, "tar", "--owner=0", "--group=0", "--mode=0644", "--mtime=@1700000000",
				"-Sch", "--format=oldgnu", "-f", theirs, "disk.raw")
			sameImages(t, tarOf(t, im, "disk.raw", modified), openFile(t, theirs))
		})
	}
}

// A view's extents begin and end anywhere; GNU tar and Go's give the disk back.
func TestTarOfOddExtents(t *testing.T) {
	need.Tool(t, "tar")
	for seed := range uint64(5) {
		r := rand.New(rand.NewPCG(seed, 2))
		_, base := sparse(t, r, 8<<20+int64(r.IntN(5000)), 6)
		im := view.Patch(base, view.Piece{Offset: 3<<20 + 17, Data: []byte("ignition.platform.id=gcp")},
			view.Piece{Offset: base.Size() - 5, Data: []byte("patch")})
		archive := tarOf(t, im, "x", time.Unix(0, 0))
		dir := t.TempDir()
		do(t, dir, view.Reader(t.Context(), archive), "tar", "-xSf", "-")
		sameImages(t, openFile(t, dir+"/x"), im)
		in := tar.NewReader(view.Reader(t.Context(), archive))
		if h, err := in.Next(); err != nil || h.Size != im.Size() {
			t.Fatalf("%+v, %v", h, err)
		}
		if sumOf(t, in) != sumOf(t, view.Reader(t.Context(), im)) {
			t.Error("Go's reader gives other bytes")
		}
	}
}

func TestTarReadsAnywhere(t *testing.T) {
	_, im := sparse(t, rand.New(rand.NewPCG(1, 3)), 4<<20, 40)
	archive := tarOf(t, im, "disk.raw", time.Unix(0, 0))
	want, err := io.ReadAll(view.Reader(t.Context(), archive))
	if err != nil {
		t.Fatal(err)
	}
	if err := iotest.TestReader(io.NewSectionReader(archive, 0, archive.Size()), want); err != nil {
		t.Error(err)
	}
	// No byte that isn't zero lies between the extents.
	for e, ok := archive.Next(0); ok; e, ok = archive.Next(e.End) {
		clear(want[e.Start:e.End])
	}
	if rest := bytes.Trim(want, "\x00"); len(rest) > 0 {
		t.Errorf("%d bytes lie outside of extents", len(rest))
	}
}

func TestTarRefuses(t *testing.T) {
	for _, c := range []struct {
		name     string
		modified time.Time
	}{
		{"", time.Unix(0, 0)},
		{strings.Repeat("x", 101), time.Unix(0, 0)},
		{"x", time.Unix(-1, 0)},
	} {
		if _, err := pack.Tar(view.Bytes([]byte("x")), c.name, c.modified); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%q of %v: %v", c.name, c.modified, err)
		}
	}
}

// FuzzTar: whatever the data and where, Go's reader gives the disk back.
func FuzzTar(f *testing.F) {
	f.Add(int64(10000), []byte("data"), int64(5000))
	f.Add(int64(1), []byte{}, int64(0))
	f.Add(int64(9<<30), []byte("end"), int64(9<<30-3))
	f.Fuzz(func(t *testing.T, size int64, data []byte, at int64) {
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, nil, 0o600); err != nil || size < 0 || size > 16<<30 {
			t.Skip()
		}
		if err := os.Truncate(path, size); err != nil {
			t.Skip(err)
		}
		if at < 0 || at > size-int64(len(data)) {
			t.Skip()
		}
		im := view.Patch(openFile(t, path), view.Piece{Offset: at, Data: data})
		in := tar.NewReader(io.NewSectionReader(tarOf(t, im, "x", time.Unix(1, 0)), 0, 1<<62))
		h, err := in.Next()
		if err != nil || h.Size != size {
			t.Fatalf("%+v, %v", h, err)
		}
		if size > 1<<20 {
			return // its bytes would take too long
		}
		got, err := io.ReadAll(in)
		want, _ := io.ReadAll(view.Reader(t.Context(), im)) // a file's and bytes
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("bytes differ, %v", err)
		}
	})
}
