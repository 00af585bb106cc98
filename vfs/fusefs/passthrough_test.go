package fusefs_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"cosafs/test/need"
	"cosafs/vfs/vfstest"
)

// qemuPath is a complete local file of the default fixture.
const qemuPath = "43.1/x86_64/os-43.1-qemu.x86_64.qcow2"

// TestPassthroughEngages: the kernel reads a complete local file itself.
func TestPassthroughEngages(t *testing.T) {
	if os.Geteuid() != 0 {
		need.Lacking(t, "root", errors.New("passthrough needs CAP_SYS_ADMIN"))
	}
	f := vfstest.Default(t)
	r := start(t, f)
	want := wantBytes(t, f, qemuPath)
	for range 3 {
		goReadFile(t, filepath.Join(r.Dir, qemuPath), want)
	}
	if s := stats(t, r); s.Reads != 0 || s.Passthrough != 3 {
		t.Errorf("the server saw %d reads and %d passthrough opens, want 0 and 3", s.Reads, s.Passthrough)
	}
}

func wantBytes(t *testing.T, f vfstest.Fixture, path string) []byte {
	t.Helper()
	it, ok := f.Item(path)
	if !ok {
		t.Fatalf("no item %s", path)
	}
	b, err := it.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestModesNeverMix: a file that turns local while it is open (and mapped)
// cached stays cached until the last user is gone, then passes through.
func TestModesNeverMix(t *testing.T) {
	if os.Geteuid() != 0 {
		need.Lacking(t, "root", errors.New("passthrough needs CAP_SYS_ADMIN"))
	}
	f := vfstest.Default(t)
	it := vfstest.Item{Path: "43.1/x86_64/os-43.1-turns.x86_64.raw", Kind: "turns", Random: 50000}
	f.Items = append(f.Items, it)
	r := start(t, f)
	path := filepath.Join(r.Dir, it.Path)
	want := wantBytes(t, f, it.Path)

	mapped := mapFile(t, path, len(want))
	it.Local = true
	if _, err := r.Do(vfstest.Command{Op: "put", Item: it}); err != nil {
		t.Fatal(err)
	}
	goReadFile(t, path, want)
	if s := stats(t, r); s.Passthrough != 0 {
		t.Errorf("%d passthrough opens while the file is mapped cached", s.Passthrough)
	}
	if err := unix.Munmap(mapped); err != nil {
		t.Fatal(err)
	}
	vfstest.Eventually(t, "the file passes through", func() bool {
		goReadFile(t, path, want)
		return stats(t, r).Passthrough > 0
	})

	mapped = mapFile(t, path, len(want))
	it.Local = false
	if _, err := r.Do(vfstest.Command{Op: "put", Item: it}); err != nil {
		t.Fatal(err)
	}
	goReadFile(t, path, want)
	if err := unix.Munmap(mapped); err != nil {
		t.Fatal(err)
	}
}

// mapFile maps a file and closes it.
func mapFile(t *testing.T, path string, size int) []byte {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := unix.Mmap(int(file.Fd()), 0, size, unix.PROT_READ, unix.MAP_PRIVATE)
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestManyOpensAndCloses opens and closes one local file from many sides, so
// that releases and opens cross.
func TestManyOpensAndCloses(t *testing.T) {
	f := vfstest.Default(t)
	r := start(t, f)
	path := filepath.Join(r.Dir, qemuPath)
	const users, times = 16, 100
	errs := make(chan error)
	for range users {
		go func() {
			var err error
			for range times {
				var file *os.File
				if file, err = os.Open(path); err != nil {
					break
				}
				var b [16]byte
				_, err = file.ReadAt(b[:], 1000000)
				if err = errors.Join(err, file.Close()); err != nil {
					break
				}
			}
			errs <- err
		}()
	}
	for range users {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
