package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The live system of a tree with coreos-installer has inside what it writes the disks of
// bare metal from, packed by that program out of the very images of the build. What was
// packed is kept: an ISO that was deleted comes back without another virtual machine.
func TestLiveInstalls(t *testing.T) {
	t.Parallel()
	needAll(t)
	needTools(t, "ovmf", "xorriso", "mksquashfs", "mcopy", "cpio", "udevadm")
	e := newEnv(t)
	e.edit("manifest.yaml", func(s string) string {
		return strings.Replace(s, "packages:\n", "packages:\n  - coreos-installer\n", 1)
	})
	e.overrideUdev()
	e.cosafs("build", "metal", "metal4k")
	id := e.latest()
	e.cosafs("extend", "live")
	images := e.meta(id).Images
	dir := filepath.Join(e.work, "builds", id, "x86_64")
	e.sh("sh", "-euc", "mkdir root; cd root; cpio -i --quiet <"+filepath.Join(dir, images["live-rootfs"].Path))
	for kind, sector := range map[string]int{"metal": 512, "metal4k": 4096} {
		got, err := os.ReadFile(filepath.Join(e.dir, "root", images[kind].Path+".osmet"))
		want := fmt.Sprintf("osmet of Tiny OS %s, sectors of %d, %s\n", id, sector, images[kind].SHA256)
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", kind, got, err, want)
		}
	}
	disks, packed := e.jobsTitled("base disk"), e.jobsTitled("osmet ")
	if packed != 2 {
		t.Errorf("packed %d times, want twice", packed)
	}
	iso := filepath.Join(dir, images["live-iso"].Path)
	if err := os.Remove(iso); err != nil {
		t.Fatal(err)
	}
	e.cosafs("extend", "live")
	if sum, _, _ := strings.Cut(e.sh("sha256sum", iso), " "); sum != images["live-iso"].SHA256 {
		t.Errorf("made again, the ISO has sha256 %s, want %s", sum, images["live-iso"].SHA256)
	}
	if d, p := e.jobsTitled("base disk")-disks, e.jobsTitled("osmet ")-packed; d != 0 || p != 0 {
		t.Errorf("for that, %d disks were written and %d packed, want none", d, p)
	}
	e.intact(id)
	e.runBoots(e.meta(id).Commit, "metal", "live-iso")
}

// overrideUdev puts this machine's udev into the tree. It makes links for file systems in
// the virtual machine only if it was started there, and told to look at all devices.
func (e *env) overrideUdev() {
	e.Helper()
	e.sh("sh", "-euc", `cd "$0"
		mkdir -p usr/lib/systemd usr/lib/udev usr/bin usr/lib64 usr/lib/x86_64-linux-gnu
		cp -L "$(command -v udevadm)" usr/bin/udevadm
		ln -s ../../bin/udevadm usr/lib/systemd/systemd-udevd
		cp -r /lib/udev/rules.d usr/lib/udev
		for l in $(ldd usr/bin/udevadm | grep -o '/[^ ]*'); do
			case $l in
			/lib64/*) cp -L $l usr/lib64 ;;
			*) cp -L $l usr/lib/x86_64-linux-gnu ;;
			esac
		done`, filepath.Join(e.work, "overrides/rootfs"))
}
