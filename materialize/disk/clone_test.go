package disk_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"cosafs/materialize/disk"
	"cosafs/test/need"
)

// Where files share blocks a view is a file to those who read one faster, the same at
// each open, and it goes with its base disk's directory.
func TestViewIsAFileOnXFS(t *testing.T) {
	need.Tool(t, "root", "mkfs.xfs")
	dir := xfs(t)
	base := madeUp(t)
	path := filepath.Join(dir, "base.raw")
	sh(t, ".", "cp --sparse=always '"+base.Path+"' "+path)
	base.Path = path
	w, req := disk.New(disk.Config{}), request(base, "openstack")
	var names []string
	for range 2 {
		v, err := w.View(req)
		if err != nil {
			t.Fatal(err)
		}
		f, ok := v.LocalFile()
		if !ok {
			t.Fatal("no local file")
		}
		if now, ok := v.LocalFile(); !ok || now != f {
			t.Error("another file when asked again")
		}
		got, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<40))
		want := make([]byte, v.Size())
		if _, rerr := v.ReadAt(want, 0); errors.Join(err, rerr) != nil || !bytes.Equal(got, want) {
			t.Errorf("the file has other bytes: %v %v", err, rerr)
		}
		names = append(names, f.Name())
		if err := v.Close(); err != nil {
			t.Error(err)
		}
		if _, err := f.Stat(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("the file is open after the view was closed: %v", err)
		}
	}
	if names[0] != names[1] || filepath.Dir(names[0]) != dir {
		t.Errorf("files %q, want the same in %s", names, dir)
	}
	req.ImageJSON = bytes.Replace(req.ImageJSON, []byte(`"size": 1`), []byte(`"size": 2`), 1)
	v, err := w.View(req)
	if err != nil {
		t.Fatal(err)
	}
	if f, ok := v.LocalFile(); !ok || f.Name() == names[0] {
		t.Error("a view of another size has the same file")
	}
	if err := v.Close(); err != nil {
		t.Error(err)
	}
}

// xfs is a directory on a file system of its own.
func xfs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	image, mnt := filepath.Join(dir, "image"), filepath.Join(dir, "mnt")
	if err := os.Mkdir(mnt, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"mkfs.xfs", "-q", "-m", "reflink=1", "-d", "file=1,name=" + image + ",size=512m"}, {"mount", "-o", "loop", image, mnt}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", args[0], err, out)
		}
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", mnt).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return mnt
}
