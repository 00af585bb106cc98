package disk

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"cosafs/materialize"
	"cosafs/materialize/disk/view"
)

// sparse makes a file of 1 MiB and 10 bytes, some of it allocated but never written.
func sparse(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "base.raw")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // every write is checked
	if err := f.Truncate(1<<20 + 10); err != nil {
		t.Fatal(err)
	}
	if err := unix.Fallocate(int(f.Fd()), 0, 256<<10, 512<<10); err != nil {
		t.Skip("the file system can't allocate: ", err)
	}
	for off, b := range map[int64][]byte{
		0: make([]byte, dataBlock), 2*dataBlock - 1: []byte("xy"), 5*dataBlock + 4096: []byte("z"), 1 << 20: []byte("0123456789"),
	} {
		if _, err := f.WriteAt(b, off); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// Data is what isn't zeros, whatever the file system thinks.
func TestDataOf(t *testing.T) {
	path := sparse(t)
	want := []materialize.Extent{
		{Offset: dataBlock, Length: 2 * dataBlock}, {Offset: 5 * dataBlock, Length: dataBlock}, {Offset: 1 << 20, Length: 10},
	}
	for range 2 { // the first reading has its pages cached
		if got, err := dataOf(t.Context(), path); err != nil || !slices.Equal(got, want) {
			t.Errorf("got %v, %v; want %v", got, err, want)
		}
		if _, err := os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := dataOf(t.Context(), empty); err != nil || got == nil || len(got) != 0 {
		t.Errorf("of an empty file: %#v, %v; want an empty list", got, err)
	}
}

// A view of a base disk has the recorded data, and all bytes.
func TestOpenBase(t *testing.T) {
	path := sparse(t)
	data, err := dataOf(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	im, err := openBase(materialize.BaseDisk{Path: path, Size: 1<<20 + 10, Data: data})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = im.Close() }() // read only
	if next, ok := im.Next(0); !ok || next != (view.Extent{Start: dataBlock, End: 3 * dataBlock}) {
		t.Errorf("data begins at %v", next)
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(want))
	if _, err := im.ReadAt(got, 0); err != nil || !bytes.Equal(got, want) {
		t.Errorf("other bytes than the file's: %v", err)
	}
}
