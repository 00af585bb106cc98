package test

import (
	"path/filepath"
	"testing"

	"cosafs/test/tinyos"
)

// What is written for a cloud boots there, as far as qemu is one: an image that EC2
// imports, the disk in VMware's archive, the one in Compute Engine's.
func TestCodedImagesBoot(t *testing.T) {
	t.Parallel()
	needAll(t)
	needTools(t, "ovmf", "tar")
	e := newEnv(t)
	e.mount()
	aws := e.path("next", "x86_64", "aws.vmdk")
	if err := head(aws); err != nil {
		t.Fatal(err)
	}
	id := e.latest()
	commit := e.meta(id).Commit
	e.boots(tinyos.BootConfig{Disk: aws, Format: "vmdk"}, commit, "aws")
	e.sh("tar", "-C", e.dir, "-xf", e.path(id, "x86_64", "vmware.ova"))
	e.boots(tinyos.BootConfig{Disk: filepath.Join(e.dir, "disk.vmdk"), Format: "vmdk", UEFI: true}, commit, "vmware")
	e.sh("tar", "-C", e.dir, "-xzSf", e.path(id, "x86_64", "gcp.tar.gz"))
	e.boots(tinyos.BootConfig{Disk: filepath.Join(e.dir, "disk.raw")}, commit, "gcp")
	e.intact(id) // they are recorded
	if n := e.vmRuns(); n != 1 {
		t.Errorf("%d disks were written, want 1", n)
	}
}
