package davfs_test

import (
	"net/http/httptest"
	"testing"

	"cosafs/vfs"
	"cosafs/vfs/davfs"
	"cosafs/vfs/vfstest"
)

// TestSuite runs the cases that every door passes, over HTTP.
func TestSuite(t *testing.T) {
	vfstest.Run(t, func(t *testing.T, f vfstest.Fixture) *vfstest.Harness {
		t.Helper()
		server, lib := serve(t, f, davfs.Config{})
		return &vfstest.Harness{
			Access:  vfstest.WebDAV(t.Context, server.Client(), server.URL+"/"),
			Fixture: f,
			Caps:    []vfstest.Cap{vfstest.Lazy, vfstest.Xattrs, vfstest.ReadOnly},
			Control: lib,
		}
	})
}

// serve shows the fixture over HTTP until the test ends; cfg needs no Tree.
func serve(tb testing.TB, f vfstest.Fixture, cfg davfs.Config) (*httptest.Server, *vfstest.Library) {
	tb.Helper()
	lib, err := vfstest.NewLibrary(f, tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	cfg.Tree = vfs.New(lib, vfs.Options{})
	server := httptest.NewServer(davfs.New(cfg))
	tb.Cleanup(server.Close)
	return server, lib
}
