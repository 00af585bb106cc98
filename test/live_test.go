package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/test/tinyos"
)

// Opening one of the live artifacts makes all four in one job, without a disk; the
// ISO boots from a CD, by BIOS and UEFI, and the others from the network.
func TestLiveSystem(t *testing.T) {
	t.Parallel()
	needAll(t)
	needTools(t, "ovmf", "xorriso", "mksquashfs", "mcopy")
	e := newEnv(t)
	e.mount()
	if err := head(e.path("next", "x86_64", "live-kernel")); err != nil {
		t.Fatal(err)
	}
	id := e.latest()
	jobs := e.jobFolders()
	dir := filepath.Join(e.work, "builds", id, "x86_64")
	images := e.meta(id).Images
	for _, kind := range []string{"live-iso", "live-kernel", "live-initramfs", "live-rootfs"} {
		if _, err := os.Stat(filepath.Join(dir, images[kind].Path)); err != nil || images[kind].SHA256 == "" {
			t.Errorf("%s is recorded as %+v: %v", kind, images[kind], err)
		}
	}
	e.intact(id)
	if out := e.cosafs("extend", "live"); out != filepath.Join(dir, images["live-iso"].Path)+"\n" {
		t.Errorf("extend live: %s", out)
	}
	iso, commit := e.path(id, "x86_64", "live.iso"), e.meta(id).Commit
	e.runBoots(commit, "metal", "live-iso")
	e.runBoots(commit, "metal", "--firmware", "uefi", iso)
	initrd := filepath.Join(e.dir, "initrd")
	e.sh("sh", "-c", "cat "+e.path(id, "x86_64", "live-initramfs.img")+" "+e.path(id, "x86_64", "live-rootfs.img")+" >"+initrd)
	e.boots(tinyos.BootConfig{
		Kernel: e.path(id, "x86_64", "live-kernel"), Initrd: initrd,
		Append: "console=ttyS0 ignition.firstboot ignition.platform.id=metal", // as Fedora CoreOS' documentation has it
	}, commit, "metal")
	if n := e.jobFolders(); n != jobs || e.vmRuns() != 0 {
		t.Errorf("%d more jobs, %d disks written; want none", n-jobs, e.vmRuns())
	}
	if err := os.Remove(filepath.Join(dir, images["live-iso"].Path)); err != nil {
		t.Fatal(err)
	}
	if sum, _, _ := strings.Cut(e.sh("sha256sum", iso), " "); sum != images["live-iso"].SHA256 {
		t.Errorf("made again, the ISO has sha256 %s, want %s", sum, images["live-iso"].SHA256)
	}
	if n := e.jobFolders(); n != jobs+1 || e.vmRuns() != 0 {
		t.Errorf("%d more jobs, %d disks written; want one job for the ISO", n-jobs, e.vmRuns())
	}
}
