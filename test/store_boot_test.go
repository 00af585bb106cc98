package test

import (
	"os"
	"path/filepath"
	"testing"

	"cosafs/test/faultproxy"
	"cosafs/test/need"
	"cosafs/test/s3server"
	"cosafs/test/tinyos"
)

// A virtual machine boots from an image in a bucket, and moves less than the
// image: what is built on one machine runs on another without a copy.
func TestStoreImageBoots(t *testing.T) {
	t.Parallel()
	needAll(t)
	need.Tool(t, "root", "fuse")
	w := newEnv(t)
	w.mount()
	w.sh("qemu-img", "check", w.path("next", "x86_64", "qemu.qcow2"))
	id := w.latest()
	s := s3server.Start(t)
	w.environ = append(w.environ, s.Env()...)
	w.cosafs("upload", "--build", id, urlAt(s.Endpoint))

	proxy := faultproxy.Start(t, s.Endpoint)
	e := newStoreEnv(t, "--store", urlAt(proxy.URL), "--refresh", "1h")
	e.serve()
	e.shows(1, proxy)
	proxy.Reset()
	image := e.path(id, "x86_64", filepath.Base(w.meta(id).Images["qemu"].Path))
	e.boots(tinyos.BootConfig{Disk: image, Format: "qcow2"}, w.meta(id).Commit, "qemu")
	info, err := os.Stat(image)
	if err != nil {
		t.Fatal(err)
	}
	c := proxy.Counts()
	t.Logf("a boot moves %d KiB of %d in %d requests", c.Sent>>10, info.Size()>>10, c.Total())
	if c.Sent > info.Size() { // a small OS reads nearly all of itself, but nothing twice
		t.Errorf("a boot moves %d bytes; the whole image has %d", c.Sent, info.Size())
	}
}
