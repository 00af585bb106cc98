package disk_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"cosafs/materialize/disk"
	"cosafs/test/need"
)

// Where files share blocks a view is a file to those who read one faster, the same at
// each open, and it goes with its base disk's directory.
func TestViewIsAFileOnXFS(t *testing.T) {
	dir := need.XFS(t)
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
