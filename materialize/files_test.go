package materialize

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// The digest of a file with holes is that of the zeros they stand for.
func TestHashSparseFile(t *testing.T) {
	const mib = 1 << 20
	for name, data := range map[string]map[int64]string{ // offset -> data; -1 is the size
		"empty":             {},
		"only a hole":       {-1: string(rune(3))},
		"hole first":        {2 * mib: "end"},
		"hole last":         {0: "start", -1: string(rune(4))},
		"hole in between":   {0: "start", 5*mib - 3: "end"},
		"not on a boundary": {12345: "a", 3*mib + 1: "b", -1: string(rune(7))},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "disk")
			f, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			for off, s := range data {
				if off < 0 {
					continue
				}
				if _, err := f.WriteAt([]byte(s), off); err != nil {
					t.Fatal(err)
				}
			}
			if s := data[-1]; s != "" {
				if err := f.Truncate(int64([]rune(s)[0]) * mib); err != nil {
					t.Fatal(err)
				}
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			sum, size, err := hashFile(t.Context(), path)
			if err != nil || sum != hexSHA256(whole) || size != int64(len(whole)) {
				t.Errorf("hashFile = %s, %d, %v; want %s, %d", sum, size, err, hexSHA256(whole), len(whole))
			}
		})
	}
}

func TestHashFileEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 1<<40); err != nil {
		t.Skipf("this file system has no file of 1 TiB: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := hashFile(ctx, path); !errors.Is(err, context.Canceled) {
		t.Errorf("hashFile = %v", err)
	}
	if _, _, err := hashFile(t.Context(), path+"x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("hashFile of nothing = %v", err)
	}
}

func TestWriteGzip(t *testing.T) {
	dir := t.TempDir()
	var files [2][]byte
	for i := range files {
		path := filepath.Join(dir, string(rune('a'+i)))
		if err := writeGzip(path, []byte("content")); err != nil {
			t.Fatal(err)
		}
		var err error
		if files[i], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("the same content gave two files")
	}
	z, err := gzip.NewReader(bytes.NewReader(files[0]))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(z); err != nil || string(got) != "content" {
		t.Errorf("unpacked %q, %v", got, err)
	}
	if err := writeGzip(filepath.Join(dir, "a"), nil); !errors.Is(err, os.ErrExist) {
		t.Errorf("writing over a file: %v", err)
	}
}
