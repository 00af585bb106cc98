package fusefs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A filedBlob is of ten bytes, of which those from 2 to 8 lie in a file, at 100.
type filedBlob struct{ f *os.File }

func (filedBlob) Size() int64                 { return 10 }
func (filedBlob) LocalFile() (*os.File, bool) { return nil, false }
func (filedBlob) Close() error                { return nil }

func (filedBlob) ReadAt(_ context.Context, p []byte, off int64) (int, error) {
	if off >= 2 && off+int64(len(p)) <= 8 {
		return 0, errors.New("a file has these bytes")
	}
	return copy(p, "01abcdef89"[off:]), nil
}

func (b filedBlob) Source(off, n int64) (f *os.File, at int64, ok bool) {
	return b.f, off - 2 + 100, off >= 2 && off+n <= 8
}

// What lies in a file is given from there, what doesn't, or does in part, is read.
func TestReadOfAFiledBlob(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, append(make([]byte, 100), "abcdef"...), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // read only
	h := &handle{n: &fileNode{s: &Server{}}, blob: filedBlob{f}}
	for _, tt := range []struct {
		off  int64
		n    int
		want string
	}{{0, 2, "01"}, {2, 6, "abcdef"}, {3, 2, "bc"}, {1, 3, "1ab"}, {7, 9, "f89"}, {8, 2, "89"}, {10, 2, ""}} {
		r, errno := h.Read(t.Context(), make([]byte, tt.n), tt.off)
		if errno != 0 {
			t.Errorf("read %d at %d: %v", tt.n, tt.off, errno)
			continue
		}
		if got, status := r.Bytes(make([]byte, tt.n)); string(got) != tt.want || !status.Ok() {
			t.Errorf("read %d at %d: %q, %v, want %q", tt.n, tt.off, got, status, tt.want)
		}
	}
}
