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
	needTools(t, "ovmf", "xorriso", "mksquashfs", "mcopy", "cpio")
	e := newEnv(t)
	e.edit("manifest.yaml", func(s string) string {
		return strings.Replace(s, "packages:\n", "packages:\n  - coreos-installer\n", 1)
	})
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
	runs := e.vmRuns()
	iso := filepath.Join(dir, images["live-iso"].Path)
	if err := os.Remove(iso); err != nil {
		t.Fatal(err)
	}
	e.cosafs("extend", "live")
	if sum, _, _ := strings.Cut(e.sh("sha256sum", iso), " "); sum != images["live-iso"].SHA256 || e.vmRuns() != runs {
		t.Errorf("made again, the ISO has sha256 %s, want %s; %d disks written for it", sum, images["live-iso"].SHA256, e.vmRuns()-runs)
	}
	e.intact(id)
	e.runBoots(e.meta(id).Commit, "metal", "live-iso")
}
