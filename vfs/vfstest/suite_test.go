package vfstest_test

import (
	"testing"

	"cosafs/vfs"
	"cosafs/vfs/vfstest"
)

// TestPlainDirectory tests the suite: what it says of reading must hold for any
// directory.
func TestPlainDirectory(t *testing.T) {
	vfstest.Run(t, func(t *testing.T, f vfstest.Fixture) *vfstest.Harness {
		t.Helper()
		dir := t.TempDir()
		if err := f.Render(dir); err != nil {
			t.Fatal(err)
		}
		return &vfstest.Harness{Access: vfstest.Directory(dir), Fixture: f}
	})
}

// TestInProcess runs the suite over the tree itself.
func TestInProcess(t *testing.T) {
	vfstest.Run(t, func(t *testing.T, f vfstest.Fixture) *vfstest.Harness {
		t.Helper()
		lib, err := vfstest.NewLibrary(f, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return &vfstest.Harness{
			Access:  vfstest.InProcess(t.Context, vfs.New(lib, vfs.Options{})),
			Fixture: f,
			Caps:    []vfstest.Cap{vfstest.Lazy, vfstest.Xattrs, vfstest.ReadOnly},
			Control: lib,
		}
	})
}
