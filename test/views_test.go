package test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cosafs/test/tinyos"
)

// viewed are the kinds of a build that are computed as they are read: short name
// and the format that qemu knows it by.
var viewed = map[string]struct{ file, format string }{
	"aliyun": {"aliyun.qcow2", "qcow2"}, "exoscale": {"exoscale.qcow2", "qcow2"}, "openstack": {"openstack.qcow2", "qcow2"},
	"oraclecloud": {"oraclecloud.qcow2", "qcow2"}, "proxmoxve": {"proxmoxve.qcow2", "qcow2"}, "ibmcloud": {"ibmcloud.qcow2", "qcow2"},
	"applehv": {"applehv.raw", "raw"}, "hetzner": {"hetzner.raw", "raw"}, "vultr": {"vultr.raw", "raw"},
	"azure": {"azure.vhd", "vpc"}, "azurestack": {"azurestack.vhd", "vpc"},
}

// Once a build's disk exists, every image of it is there to be read: no job, no
// file, no record, and the bytes that the classic way would have given it.
func TestViewsOfABuild(t *testing.T) {
	t.Parallel()
	needAll(t)
	needTools(t, "ovmf", "sgdisk", "e2fsck")
	e := newEnv(t)
	e.mount()
	metal := e.path("next", "x86_64", "metal.raw")
	if err := head(metal); err != nil {
		t.Fatal(err)
	}
	id := e.latest()
	jobs, listed, used := e.jobFolders(), e.sh("ls", e.path(id, "x86_64")), e.used()
	size := strings.TrimSpace(e.sh("sed", "-n", "s/^size: *//p", filepath.Join(e.work, "src", "config", "image.yaml")))
	for kind, v := range viewed {
		want := e.grown(metal, size)
		if kind == "ibmcloud" {
			want = e.grown(metal, "100") // its boot disks are
		}
		e.rename(want, kind)
		e.viewIsRight(kind, e.path(id, "x86_64", v.file), v.format, want)
	}
	if n := e.jobFolders(); n != jobs {
		t.Errorf("reading views took %d jobs", n-jobs)
	}
	if now := e.sh("ls", e.path(id, "x86_64")); now != listed {
		t.Errorf("listed before: %s\nlisted after: %s", listed, now)
	}
	if more := e.used() - used; more > 1<<20 {
		t.Errorf("reading views took %d bytes of disk", more)
	}
	commit := e.meta(id).Commit
	e.boots(tinyos.BootConfig{Disk: e.path(id, "x86_64", "openstack.qcow2"), Format: "qcow2"}, commit, "openstack")
	e.boots(tinyos.BootConfig{Disk: e.path(id, "x86_64", "azure.vhd"), Format: "vpc", UEFI: true}, commit, "azure")
	e.sumIsTold(id, "openstack")
}

// sumIsTold checks that the sha256 of a view that was opened gets known, and is right.
func (e *env) sumIsTold(id, kind string) {
	e.Helper()
	path := e.path(id, "x86_64", viewed[kind].file)
	want, _, _ := strings.Cut(e.sh("sha256sum", path), " ")
	told := make([]byte, len(want))
	e.eventually("the sha256 of "+kind+" is told", time.Minute, func() bool {
		n, err := unix.Getxattr(path, "user.cosafs.sha256", told)
		return err == nil && n == len(want)
	})
	if string(told) != want {
		e.Errorf("%s: sha256 %s, want %s", kind, told, want)
	}
	if shown := e.cosafs("show", "--json", id); !strings.Contains(shown, want) {
		e.Errorf("show doesn't tell the sha256 %s of %s: %s", want, kind, shown)
	}
}

// Opening a view where nothing is built yet makes the build and its disk, and
// extend makes a recorded file of a view, with the same bytes.
func TestViewFromNothing(t *testing.T) {
	t.Parallel()
	needAll(t)
	e := newEnv(t)
	e.mount()
	first := e.sh("sha256sum", e.path("next", "x86_64", "azure.vhd"))
	id := e.latest()
	if n := e.vmRuns(); n != 1 {
		t.Errorf("%d disks were written, want 1", n)
	}
	if _, ok := e.meta(id).Images["azure"]; ok {
		t.Error("a view that was read is recorded")
	}
	e.cosafs("extend", "azure")
	sum, _, _ := strings.Cut(first, " ")
	if im := e.meta(id).Images["azure"]; im.SHA256 != sum {
		t.Errorf("extend recorded %+v; the view's sha256 was %s", im, sum)
	}
	e.cosafs("extend", "gcp", "nutanix")
	e.intact(id)
	if n := e.vmRuns(); n != 1 {
		t.Errorf("%d disks were written, want 1", n)
	}
	gcp := e.meta(id).Images["gcp"]
	if inside := e.sh("sh", "-c", "gzip -cd "+filepath.Join(e.work, "builds", id, "x86_64", gcp.Path)+" | sha256sum"); gcp.UncompressedSHA256+"  -\n" != inside {
		t.Errorf("gcp is recorded as %+v, and holds %s", gcp, inside)
	}
}

// viewIsRight checks a view's state, size and bytes against a raw disk.
func (e *env) viewIsRight(kind, path, format, want string) {
	e.Helper()
	if state := e.state(path); state != "view" {
		e.Errorf("%s: state %q, want view", kind, state)
	}
	st, err := os.Stat(path)
	if err != nil {
		e.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		e.Fatal(err)
	}
	n, err := f.ReadAt(make([]byte, 2), st.Size()-1)
	if cerr := f.Close(); n != 1 || !errors.Is(err, io.EOF) || cerr != nil {
		e.Errorf("%s: its end is not at the %d bytes that stat tells: %v", kind, st.Size(), err)
	}
	e.sh("qemu-img", "compare", "-q", "-f", "raw", "-F", format, want, path) // a longer one must end in zeros
	e.holesAreRight(kind, path)
	switch format {
	case "qcow2":
		e.sh("qemu-img", "check", "-q", path)
	case "raw":
		if out := e.sh("sgdisk", "-v", path); !strings.Contains(out, "No problems found") {
			e.Errorf("%s: %s", kind, out)
		}
		e.sh("e2fsck", "-fn", path+"?offset=135266304") // 129 MiB: the boot partition
	}
}

// state is what the mount tells of a file.
func (e *env) state(path string) string {
	e.Helper()
	return e.sh("getfattr", "--absolute-names", "--only-values", "-n", "user.cosafs.state", path)
}

// holesAreRight checks that programs which ask for holes are told the truth: they leave
// nothing out, and a copy takes no more than stat told.
func (e *env) holesAreRight(kind, path string) {
	e.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		e.Fatal(err)
	}
	if st.Blocks*512 > st.Size+4096 || strings.HasSuffix(path, ".vhd") && st.Blocks*512 > st.Size/4 {
		e.Errorf("%s: %d bytes take %d blocks", kind, st.Size, st.Blocks)
	}
	copied := filepath.Join(e.dir, "copied")
	e.sh("cp", "--sparse=auto", path, copied)
	if have := e.data(copied) / 512; have > st.Blocks+st.Blocks/8+64 {
		e.Errorf("%s: a copy has data in %d blocks, the view %d", kind, have, st.Blocks)
	}
	e.sh("cmp", path, copied) // what it reads in space given in advance counts as data later
	if err := os.Remove(copied); err != nil {
		e.Fatal(err)
	}
}

// data is how many bytes of a file aren't in holes. Its blocks may be more: xfs gives a file
// that grows some in advance.
func (e *env) data(path string) int64 {
	e.Helper()
	f, err := os.Open(path)
	if err != nil {
		e.Fatal(err)
	}
	defer func() { _ = f.Close() }() // read only
	for total, end := int64(0), int64(0); ; {
		start, err := unix.Seek(int(f.Fd()), end, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return total
		}
		if err == nil {
			end, err = unix.Seek(int(f.Fd()), start, unix.SEEK_HOLE)
		}
		if err != nil {
			e.Fatal(err)
		}
		total += end - start
	}
}

// grown copies a raw disk to a larger one, with so many GiB.
func (e *env) grown(disk, size string) string {
	e.Helper()
	out := filepath.Join(e.dir, "grown.raw")
	e.sh("cp", "--sparse=always", disk, out)
	e.sh("truncate", "-s", size+"G", out)
	e.sh("sgdisk", "-e", out)
	return out
}

// rename makes the metal disk another platform's, as a person would with an editor.
func (e *env) rename(disk, platform string) {
	e.Helper()
	f, err := os.OpenFile(disk, os.O_RDWR, 0)
	if err != nil {
		e.Fatal(err)
	}
	defer func() { _ = f.Close() }() // written below, or the test failed
	start := make([]byte, 513<<20)   // up to the root partition
	if _, err := f.ReadAt(start, 0); err != nil {
		e.Fatal(err)
	}
	old := []byte("ignition.platform.id=metal" + strings.Repeat(" ", 20))
	if n := bytes.Count(start, old); n != 1 {
		e.Fatalf("%d places name the platform", n)
	}
	name := "ignition.platform.id=" + platform
	if _, err := f.WriteAt([]byte(name+strings.Repeat(" ", len(old)-len(name))), int64(bytes.Index(start, old))); err != nil {
		e.Fatal(err)
	}
}

// used is the disk space that the working directory takes, in bytes.
func (e *env) used() int64 {
	e.Helper()
	return e.diskUse(e.work)
}

// diskUse is the disk space that the files at and below a path take, in bytes, but for
// files of views, which share the blocks of a disk that is counted.
func (e *env) diskUse(path string) int64 {
	e.Helper()
	var total int64
	for _, f := range strings.Fields(e.sh("find", path, "-type", "f", "!", "-name", "*.view", "-printf", "%b\n")) {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			e.Fatal(err)
		}
		total += n * 512
	}
	return total
}
