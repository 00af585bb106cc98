package pack_test

import (
	"bytes"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"cosafs/materialize/disk/view"
)

// sparse writes a file of a size with data of up to 20 KB at n places, and opens it.
func sparse(t *testing.T, r *rand.Rand, size int64, n int) (string, *view.File) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk.raw")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		b := randomBytes(r, int(min(size, 1+r.Int64N(20000))))
		if _, err := f.WriteAt(b, r.Int64N(size-int64(len(b))+1)); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{f.Truncate(size), f.Sync(), f.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return path, openFile(t, path)
}

func openFile(t *testing.T, path string) *view.File {
	t.Helper()
	im, err := view.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = im.Close() }) // it was only read
	return im
}

// randomBytes gives bytes that compress, but not to nothing.
func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.IntN(20))
	}
	return b
}

// sumOf gives the digest of all of r.
func sumOf(t *testing.T, r io.Reader) [sha256.Size]byte {
	t.Helper()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		t.Fatal(err)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// sameImages compares images where either has data, so that it's quick for big ones.
func sameImages(t *testing.T, a, b view.Image) {
	t.Helper()
	if a.Size() != b.Size() {
		t.Fatalf("size %d, want %d", a.Size(), b.Size())
	}
	for _, x := range []view.Image{a, b} {
		for e, ok := x.Next(0); ok; e, ok = x.Next(e.End) {
			p, q := make([]byte, e.End-e.Start), make([]byte, e.End-e.Start)
			if n, err := a.ReadAt(p, e.Start); n < len(p) {
				t.Fatal(err)
			}
			if n, err := b.ReadAt(q, e.Start); n < len(q) {
				t.Fatal(err)
			}
			if !bytes.Equal(p, q) {
				t.Fatalf("bytes differ in %d to %d", e.Start, e.End)
			}
		}
	}
}

// do runs a program in a directory and gives what it printed.
func do(t *testing.T, dir string, in io.Reader, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Stdin = dir, in
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, said.Bytes())
	}
	return out
}
