package bench

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// artifacts are the platforms' images of a build, by short name; false are views.
// metal4k and the live images are left out: they are not made of the qemu image.
func artifacts() map[string]bool {
	return map[string]bool{
		"aliyun.qcow2": false, "exoscale.qcow2": false, "ibmcloud.qcow2": false, "openstack.qcow2": false,
		"oraclecloud.qcow2": false, "proxmoxve.qcow2": false,
		"applehv.raw": false, "hetzner.raw": false, "vultr.raw": false,
		"azure.vhd": false, "azurestack.vhd": false,
		"hyperv.vhdx": true, "nutanix.qcow2": true, "digitalocean.qcow2.gz": true, "gcp.tar.gz": true, "powervs.ova.gz": true,
		"kubevirt.ociarchive": true, "aws.vmdk": true, "vmware.ova": true, "virtualbox.ova": true,
	}
}

// having is what it takes to have all artifacts.
type having struct {
	views, all, read cost
	first            time.Duration // longest from the open of a view to its first byte
	disk             float64       // MiB
}

func havingColumns() []column[having] {
	return []column[having]{
		{"views s", func(h having) float64 { return h.views.wall.Seconds() }, true},
		{"views CPU/s", func(h having) float64 { return h.views.cpu.Seconds() }, true},
		{"first byte ms", func(h having) float64 { return float64(h.first.Microseconds()) / 1000 }, true},
		{"all s", func(h having) float64 { return h.all.wall.Seconds() }, true},
		{"all CPU/s", func(h having) float64 { return h.all.cpu.Seconds() }, true},
		{"disk MiB", func(h having) float64 { return h.disk }, true},
		{"reading s", func(h having) float64 { return h.read.wall.Seconds() }, true},
	}
}

// All images of a build that has its qemu image: opened in the mount, and made the
// classic way, by a virtual machine and a conversion for each.
func BenchmarkArtifacts(b *testing.B) {
	needAll(b)
	needTools(b, "guestfish")
	dir := filepath.Join(shared.dir, "appliances")
	appliances(b, dir)
	t := &table[having]{name: "all artifacts", columns: havingColumns(), against: []against[having]{peerOf[having](classic)}}
	for b.Loop() {
		c := newCosafs(b)
		qemu := c.built(filepath.Join(dir, "cosafs"))
		t.add(cosaFS, c.openAll(filepath.Dir(qemu)))
		t.add(classic, c.classicAll(qemu))
		c.cosafs("umount", c.mnt)
		c.remove()
	}
	t.tell(b)
}

// classic is the peer that makes each image by itself.
const classic = "classic"

// built has a build with its qemu image, whose path in the mount it gives.
func (c *cosafs) built(appliances string) string {
	c.Helper()
	c.cosafs("init", config(c))
	c.link(appliances, filepath.Join(c.work, "cache", "cosafs", "appliance"))
	return c.opened()
}

// opened mounts, and opens the qemu image, whose path in the mount it gives.
func (c *cosafs) opened() string {
	c.Helper()
	c.cosafs("mount", c.mnt)
	c.pid = c.daemonPID()
	c.isQcow2(filepath.Join(c.mnt, "next", arch, "qemu.qcow2"))
	path, err := filepath.EvalSymlinks(filepath.Join(c.mnt, "latest", arch, "qemu.qcow2"))
	if err != nil {
		c.Fatal(err)
	}
	return path
}

// openAll opens all artifacts in a build's directory of the mount.
func (c cosafs) openAll(dir string) having {
	c.Helper()
	var h having
	before := c.disk(c.work)
	h.views = c.measure(func() error {
		return c.each(false, func(name string) error { return h.open(filepath.Join(dir, name)) })
	})
	coded := c.measure(func() error {
		return c.each(true, func(name string) error { return openOne(filepath.Join(dir, name)) })
	})
	h.all = cost{h.views.wall + coded.wall, h.views.cpu + coded.cpu}
	h.disk = c.disk(c.work) - before
	h.read = c.readAll(dir)
	return h
}

// open opens a view and remembers how long that took.
func (h *having) open(path string) error {
	began := time.Now()
	err := openOne(path)
	h.first = max(h.first, time.Since(began))
	return err
}

// classicAll makes all artifacts of the qemu image.
func (c cosafs) classicAll(qemu string) having {
	c.Helper()
	out := filepath.Join(c.dir, "classic")
	if err := os.Mkdir(out, 0o755); err != nil {
		c.Fatal(err)
	}
	copied := filepath.Join(c.dir, "qemu.qcow2") // from the disk, as cosa has it
	c.run("cp", qemu, copied)
	c.env = append(c.env, "QEMU="+copied, "OUT="+out)
	c.classic("warm") // libguestfs makes its machine once, off the clock
	var h having
	h.views = c.measure(func() error { c.classic("views"); return nil })
	coded := c.measure(func() error { c.classic("coded"); return nil })
	h.all = cost{h.views.wall + coded.wall, h.views.cpu + coded.cpu}
	h.disk = c.disk(out)
	h.read = c.readAll(out)
	return h
}

func (c cosafs) classic(what string) {
	c.Helper()
	c.run("bash", filepath.Join("testdata", "artifacts.sh"), what)
}

// readAll reads all artifacts to their ends.
func (c cosafs) readAll(dir string) cost {
	c.Helper()
	return c.measure(func() error {
		return errors.Join(c.each(false, func(name string) error { return readWhole(filepath.Join(dir, name)) }),
			c.each(true, func(name string) error { return readWhole(filepath.Join(dir, name)) }))
	})
}

// each calls do for the artifacts that are coded, or for the views.
func (c cosafs) each(coded bool, do func(name string) error) error {
	all := artifacts()
	names := []string{}
	for name, is := range all {
		if is == coded {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if err := do(name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// openOne opens a file and reads a byte.
func openOne(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	_, err = f.Read(make([]byte, 1))
	return errors.Join(err, f.Close())
}

func readWhole(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{f}, make([]byte, 1<<20))
	return errors.Join(err, f.Close())
}

// disk is what the files in a directory take, in MiB.
func (c cosafs) disk(dir string) float64 {
	c.Helper()
	blocks := int64(0)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Nlink < 2 {
			blocks += st.Blocks
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // scratch is deleted meanwhile
		c.Fatal(err)
	}
	return float64(blocks) / 2048
}
