package dirstore_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"cosafs/backend"
)

// sparse makes a file of 64 MiB with a little data in the middle.
func sparse(t *testing.T, path string) (size int64, sum [sha256.Size]byte) {
	t.Helper()
	size = 64 << 20
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(bytes.Repeat([]byte("data"), 5000), 30<<20); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return size, [sha256.Size]byte(h.Sum(nil))
}

func TestPutOfLocalFileKeepsHoles(t *testing.T) {
	dir, local := t.TempDir(), filepath.Join(t.TempDir(), "disk.raw")
	size, sum := sparse(t, local)
	f, err := os.Open(local)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // read only
	src := backend.Source{ReaderAt: f, Size: size, SHA256: sum, LocalPath: local}
	s := open(t, dir)
	if _, err := s.Put(t.Context(), "disk.raw", src, backend.Cond{}); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(filepath.Join(dir, "disk.raw"))
	if err != nil {
		t.Fatal(err)
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok || st.Size() != size || sys.Blocks*512 > 1<<20 {
		t.Errorf("%d bytes in %d blocks; want %d bytes, holes kept", st.Size(), sys.Blocks, size)
	}
	src.Size++
	_, err = s.Put(t.Context(), "longer", src, backend.Cond{})
	wantIs(t, "Put of a file that is too short", err, io.ErrUnexpectedEOF)
	src.Size -= 2
	_, err = s.Put(t.Context(), "shorter", src, backend.Cond{})
	if err == nil {
		t.Error("Put of a file that is too long succeeded")
	}
	wantNoDots(t, dir)
}

func TestLinksStayInside(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	writeFile(t, filepath.Join(outside, "secret"), []byte("secret"))
	writeFile(t, filepath.Join(dir, "1/x86_64/meta.json"), []byte("{}"))
	for name, target := range map[string]string{
		"latest": "1", "file": filepath.Join(outside, "secret"), "dir": outside, "up": "../../../../../../etc",
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, dir)
	if info, err := s.Stat(t.Context(), "latest/x86_64/meta.json"); err != nil || info.Size != 2 {
		t.Errorf("Stat through a link inside: %+v, %v", info, err)
	}
	for _, key := range []backend.Key{"file", "dir/secret", "up/passwd"} {
		if body, err := s.Open(t.Context(), key, backend.Range{Len: backend.ToEnd}, ""); err == nil {
			t.Errorf("Open followed %s out of the directory", key)
			_ = body.Close() // the test failed already
		}
	}
	if _, err := s.Put(t.Context(), "dir/new", backend.Source{ReaderAt: bytes.NewReader(nil)}, backend.Cond{}); err == nil {
		t.Error("Put followed a link out of the directory")
	}
	for info, err := range s.List(t.Context(), "") {
		if err != nil || info.Key != "1" {
			t.Errorf("listed %+v, %v; want 1 alone", info, err)
		}
	}
}

func TestPipeIsNoObject(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := open(t, dir).Open(t.Context(), "pipe", backend.Range{}, "")
	wantIs(t, "Open of a pipe", err, fs.ErrNotExist)
}

func TestDotNamesAreKept(t *testing.T) {
	s := open(t, t.TempDir())
	for _, key := range []backend.Key{".x", "a/.x", ".x/a"} {
		_, err := s.Put(t.Context(), key, backend.Source{ReaderAt: bytes.NewReader(nil)}, backend.Cond{})
		wantIs(t, "Put of "+string(key), err, fs.ErrInvalid)
	}
}

func TestPutWaitsForCosa(t *testing.T) {
	dir := t.TempDir()
	c := start(t, "hold", dir)
	c.expect(t, "locked")
	done := make(chan error, 1)
	s := open(t, dir)
	go func() {
		src := backend.Source{ReaderAt: bytes.NewReader([]byte("{}")), Size: 2}
		_, err := s.Put(t.Context(), "builds.json", src, backend.Cond{})
		done <- err
	}()
	timer := time.NewTimer(50 * time.Millisecond)
	defer timer.Stop()
	select {
	case err := <-done:
		t.Fatalf("Put did not wait for the lock: %v", err)
	case <-timer.C:
	}
	if err := errors.Join(c.stdin.Close(), <-done); err != nil {
		t.Errorf("Put after the lock: %v", err)
	}
	wantFile(t, filepath.Join(dir, "builds.json"), "{}")
}
