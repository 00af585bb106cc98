package bench

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Reading images that are computed, through the mount, and the same bytes from a file
// beside it: both from disk, then through the daemon, which reads a disk in the page
// cache, and again by whoever comes next. On file systems whose files share blocks no
// daemon takes part: TMPDIR says where.
func BenchmarkArtifactsReading(b *testing.B) {
	needAll(b)
	c := newCosafs(b)
	c.cosafs("init", c.variant("s/^size: 1$/size: 2/"))
	c.more(filepath.Join(c.work, "overrides", "rootfs", "usr", "share"))
	images := filepath.Dir(c.opened())
	defer c.cosafs("umount", c.mnt)
	for _, name := range []string{"openstack.qcow2", "azure.vhd", "vultr.raw"} {
		through, native := filepath.Join(images, name), filepath.Join(c.dir, name)
		c.run("cp", "--sparse=auto", through, native)
		c.run("sync", native)
		for _, bm := range []struct {
			name    string
			prepare func()
		}{
			{"disk", c.dropCaches},
			{"daemon", func() { c.evict(through) }},
			{"again", func() {}},
		} {
			b.Run(name+"/"+bm.name, func(b *testing.B) {
				compareAfter(b, c, bm.prepare, func() error { return readWhole(native) }, func() error { return readWhole(through) })
			})
		}
	}
}

// more puts 512 MiB that don't compress into a directory.
func (c cosafs) more(dir string) {
	c.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		c.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, "random"))
	if err != nil {
		c.Fatal(err)
	}
	_, err = io.CopyN(f, rand.NewChaCha8([32]byte{1}), imageSize)
	if err := errors.Join(err, f.Close()); err != nil {
		c.Fatal(err)
	}
}

// dropCaches empties the page cache of all that is on disk.
func (c cosafs) dropCaches() {
	c.Helper()
	unix.Sync()
	if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("1"), 0); err != nil {
		c.Fatal(err)
	}
}

// evict drops what the page cache has of a file.
func (c cosafs) evict(path string) {
	c.Helper()
	f, err := os.Open(path)
	if err != nil {
		c.Fatal(err)
	}
	if err := errors.Join(unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED), f.Close()); err != nil {
		c.Fatal(err)
	}
}
