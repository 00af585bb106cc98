package view_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"cosafs/materialize/disk/view"
)

func openFile(tb testing.TB, path string) *view.File {
	tb.Helper()
	f, err := view.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := f.Close(); err != nil {
			tb.Error(err)
		}
	})
	return f
}

// The holes of a file are those of its view. 64 KiB is at least a block of any file
// system that a test meets.
func TestOpenFindsHoles(t *testing.T) {
	const block = 64 << 10
	file := filepath.Join(t.TempDir(), "sparse")
	content := make([]byte, 20*block)
	for i := range content {
		content[i] = 1
	}
	want := []view.Extent{{Start: 2 * block, End: 3 * block}, {Start: 10 * block, End: 12 * block}}
	writeExtents(t, file, content, want)
	im, off := openFile(t, file), int64(0)
	for _, w := range want {
		e, ok := im.Next(off)
		if !ok || e != w {
			t.Errorf("Next(%d) = %v, %v; want %v (is there a file system that knows no holes?)", off, e, ok, w)
		}
		off = e.End
	}
	if e, ok := im.Next(off); ok {
		t.Errorf("data after the last: %v", e)
	}
	if got := view.Blocks(im); got != 3*block/512 {
		t.Errorf("%d blocks, want %d", got, 3*block/512)
	}
}

func TestOpenRefuses(t *testing.T) {
	if _, err := view.Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v, want ErrNotExist", err)
	}
	if _, err := view.Open(t.TempDir()); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a directory: %v, want ErrInvalid", err)
	}
}

func TestNewFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, make([]byte, 100), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []view.Extent{{Start: -1, End: 1}, {Start: 2, End: 1}, {Start: 0, End: 101}} {
		if _, err := view.NewFile(f, []view.Extent{bad}); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("extent %v: %v, want ErrInvalid", bad, err)
		}
	}
	im, err := view.NewFile(f, []view.Extent{{Start: 50, End: 60}, {Start: 7, End: 7}, {Start: 0, End: 10}, {Start: 10, End: 20}, {Start: 5, End: 8}})
	if err != nil {
		t.Fatal(err)
	}
	checkNext(t, im)
	if e, ok := im.Next(0); !ok || e != (view.Extent{Start: 0, End: 20}) {
		t.Errorf("Next(0) = %v, %v", e, ok)
	}
	if err := im.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := im.ReadAt(make([]byte, 1), 0); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("read after Close: %v", err)
	}
}

// What became of the file after it was opened is seen as an error, never as other
// bytes or another size.
func TestFileThatChangesItsSize(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, make([]byte, 100), 0o600); err != nil {
		t.Fatal(err)
	}
	im := openFile(t, file)
	if err := os.Truncate(file, 200); err != nil {
		t.Fatal(err)
	}
	if n, err := im.ReadAt(make([]byte, 200), 0); n != 100 || !errors.Is(err, io.EOF) {
		t.Errorf("read of a file that grew: %d, %v; want 100, EOF", n, err)
	}
	if err := os.Truncate(file, 10); err != nil {
		t.Fatal(err)
	}
	if n, err := im.ReadAt(make([]byte, 100), 0); n != 10 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("read of a file that was cut: %d, %v; want 10, ErrUnexpectedEOF", n, err)
	}
}
