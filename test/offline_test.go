package test

import (
	"path/filepath"
	"strings"
	"testing"

	"cosafs/test/tinyos"
)

// With ext4 a missing image comes to be without a virtual machine, and two build
// directories have the same disk, to the last bit.
func TestOfflineWriter(t *testing.T) {
	t.Parallel()
	needAll(t)
	needTools(t, "ovmf", "sgdisk", "mcopy")
	var disks []string
	var first *env
	for range 2 {
		e := newEnv(t)
		e.edit("image.yaml", func(text string) string { return strings.Replace(text, "rootfs: xfs", "rootfs: ext4", 1) })
		e.cosafs("--writer", "auto", "build", "--version", "7.1", "qemu")
		logs := e.sh("sh", "-c", "cat "+filepath.Join(e.work, "cache", "cosafs", "jobs", "*", "log"))
		if !strings.Contains(logs, "== file systems") || strings.Contains(logs, "== virtual machine") {
			t.Errorf("the jobs did this:\n%s", logs)
		}
		disks = append(disks, e.baseDisk())
		first = e
	}
	first.sh("cmp", disks[0], disks[1])
	qemu := filepath.Join(first.work, "builds", "7.1", "x86_64", "tinyos-7.1-qemu.x86_64.qcow2")
	commit := first.meta("7.1").Commit
	first.boots(tinyos.BootConfig{Disk: qemu, Format: "qcow2"}, commit, "qemu")
	first.boots(tinyos.BootConfig{Disk: qemu, Format: "qcow2", UEFI: true}, commit, "qemu")
}
