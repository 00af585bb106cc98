package vfstest

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"cosafs/vfs"
)

// Files of the default fixture.
const (
	archDir = "43.1/x86_64"
	qemu    = archDir + "/os-43.1-qemu.x86_64.qcow2"
	gcp     = archDir + "/os-43.1-gcp.x86_64.tar.gz"
	empty   = archDir + "/os-43.1-empty.x86_64.raw"
	exact   = archDir + "/os-43.1-page.x86_64.raw"
	odd     = archDir + "/odd ü %2F+&#?.bin"
	metal   = archDir + "/os-43.1-metal.x86_64.raw"
	view    = archDir + "/os-43.1-view.x86_64.vhd"
	slow    = archDir + "/os-43.1-slow.x86_64.raw"
	broken  = archDir + "/os-43.1-broken.x86_64.ova"
	full    = archDir + "/os-43.1-full.x86_64.raw"
	next    = "next/x86_64/qemu.qcow2"
)

// listed are the artifacts and metadata that exist from the start.
var listed = []string{qemu, gcp, empty, exact, odd, archDir + "/meta.json", "43.1/release.json", "builds.json"}

// plainCases hold for any directory with the fixture's files.
func plainCases() []Case {
	return []Case{
		{Name: "caps", Run: caps},
		{Name: "list", Run: list},
		{Name: "stat", Run: stat},
		{Name: "read whole files", Run: readWhole},
		{Name: "read ranges", Run: readRanges},
		{Name: "links", Run: links},
		{Name: "missing names", Run: missing},
		{Name: "parallel readers", Run: parallel},
		{Name: "read-only", Needs: []Cap{ReadOnly}, Run: readOnly},
	}
}

func caps(h *Harness) {
	t := h.T
	_, lazy := h.Access.Stat(metal)
	attrs, err := h.Access.Xattrs(qemu)
	_, xattr := attrs["user.cosafs.state"]
	for cap, is := range map[Cap]bool{Lazy: lazy == nil, Xattrs: err == nil && xattr} {
		if is != h.has(cap) {
			t.Errorf("cap %s: claimed %v, found %v", cap, h.has(cap), is)
		}
	}
}

func list(h *Harness) {
	t := h.T
	root := []string{"43.1", "43.2", "builds.json", "latest"}
	if h.has(Lazy) {
		root = []string{".cosafs", "43.1", "43.2", "builds.json", "latest", "next"}
	}
	for path, want := range map[string][]string{
		".":    root,
		"43.1": {"release.json", "x86_64"},
		archDir: {
			"meta.json", "odd ü %2F+&#?.bin", "os-43.1-empty.x86_64.raw", "os-43.1-gcp.x86_64.tar.gz",
			"os-43.1-page.x86_64.raw", "os-43.1-qemu.x86_64.qcow2",
		},
		"latest/x86_64": {"meta.json"},
	} {
		got, err := h.Access.List(path)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("List(%s) = %q, %v, want %q", path, got, err, want)
		}
	}
}

func stat(h *Harness) {
	t := h.T
	seen := map[uint64]string{}
	for _, path := range listed {
		info := h.stat(t, path)
		if want := int64(len(h.Want(t, path))); info.Size != want || info.Type != 0 || info.Perm != 0o444 {
			t.Errorf("Stat(%s) = %+v, want a file of %d bytes, 0444", path, info, want)
		}
		if other, ok := seen[info.Ino]; ok {
			t.Errorf("%s and %s have the same inode number", path, other)
		}
		seen[info.Ino] = path
		if again := h.stat(t, path); again != info {
			t.Errorf("Stat(%s) again = %+v, before %+v", path, again, info)
		}
	}
	for _, path := range []string{".", "43.1", archDir} {
		if info := h.stat(t, path); info.Type != fs.ModeDir || info.Perm&0o555 != 0o555 {
			t.Errorf("Stat(%s) = %+v, want a directory", path, info)
		}
	}
}

func readWhole(h *Harness) {
	t := h.T
	for _, path := range listed {
		h.wantFile(t, path, h.Want(t, path))
	}
}

func readRanges(h *Harness) {
	t := h.T
	for _, path := range []string{qemu, gcp, exact, empty} {
		want := h.Want(t, path)
		r, c, err := h.Access.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		size := int64(len(want))
		for _, off := range []int64{0, 1, 511, 4095, 4096, 8191, 8192, 131071, size - 1, size, size + 5000} {
			for _, n := range []int{0, 1, 4096, 200000} {
				checkRange(t, path, r, want, off, n)
			}
		}
		if err := c.Close(); err != nil {
			t.Errorf("close %s: %v", path, err)
		}
	}
}

// checkRange says that reading n bytes at off is what io.ReaderAt promises.
func checkRange(t *testing.T, path string, r io.ReaderAt, want []byte, off int64, n int) {
	t.Helper()
	if off < 0 {
		return
	}
	got := make([]byte, n)
	m, err := r.ReadAt(got, off)
	rest := want[min(off, int64(len(want))):]
	rest = rest[:min(n, len(rest))]
	if !bytes.Equal(got[:m], rest) {
		t.Errorf("%s: ReadAt(%d, %d) gives %d bytes, want %d", path, off, n, m, len(rest))
	}
	// Whether reading nothing at the end is the end is open (io.ReaderAt).
	if short := m < n; n > 0 && short != errors.Is(err, io.EOF) {
		t.Errorf("%s: ReadAt(%d, %d) = %d, %v", path, off, n, m, err)
	}
}

func links(h *Harness) {
	t := h.T
	if got, err := h.Access.Readlink("latest"); err != nil || got != "43.2" {
		t.Errorf("Readlink(latest) = %q, %v, want 43.2", got, err)
	}
	if info := h.stat(t, "latest"); info.Type != fs.ModeSymlink || info.Size != 4 {
		t.Errorf("Stat(latest) = %+v, want a link of 4 bytes", info)
	}
	h.wantFile(t, "latest/x86_64/meta.json", h.Want(t, "43.2/x86_64/meta.json"))
}

func missing(h *Harness) {
	t := h.T
	for _, path := range []string{"nothing", "43.1/nothing", archDir + "/nothing", "43.1/nothing/below", "43.9/x86_64/meta.json"} {
		if _, err := h.Access.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Stat(%s): %v, want fs.ErrNotExist", path, err)
		}
	}
	_, err := h.Access.Stat("builds.json/below")
	if !errors.Is(err, vfs.ErrNotDir) && !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("Stat(builds.json/below): %v, want not a directory", err)
	}
}

// parallel reads the same files from many goroutines.
func parallel(h *Harness) {
	t := h.T
	want := map[string][]byte{qemu: h.Want(t, qemu), gcp: h.Want(t, gcp)}
	errs := make(chan error)
	const readers = 50
	for i := range readers {
		go func() {
			path := []string{qemu, gcp}[i%2]
			got, err := h.read(path)
			if err == nil && !bytes.Equal(got, want[path]) {
				err = errors.New("other bytes")
			}
			errs <- err
		}()
	}
	for range readers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func readOnly(h *Harness) {
	t := h.T
	for _, path := range []string{qemu, "builds.json", archDir + "/meta.json"} {
		if worked := h.Access.Change(path); len(worked) > 0 {
			t.Errorf("%s: not refused as read-only: %q", path, worked)
		}
		h.wantFile(t, path, h.Want(t, path))
	}
}
