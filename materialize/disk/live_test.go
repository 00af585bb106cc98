package disk_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cosafs/materialize/disk/install"
	"cosafs/materialize/disk/live"
	"cosafs/test/need"
	"cosafs/test/tinyos"
)

// The live system boots from disk, by BIOS and UEFI, and from the network, with either
// root; and comes out the same every time. From CD cosafs run boots it, in package test.
func TestLiveImages(t *testing.T) {
	need.Tool(t, "ostree", "xorriso", "mksquashfs", "mkfs.erofs", "mkfs.fat", "mcopy", "grub-mkimage", "qemu-system-x86_64", "ovmf")
	if testing.Short() {
		t.Skip("starts virtual machines")
	}
	repo, commit := commitTinyOS(t)
	made := liveImages(t, repo, commit, "squashfs", "-comp", "zstd")
	again := liveImages(t, repo, commit, "squashfs", "-comp", "zstd")
	for a, b := range map[string]string{made.ISO: again.ISO, made.RootFS: again.RootFS, made.Initramfs: again.Initramfs, made.Kernel: again.Kernel} {
		sh(t, ".", "cmp "+a+" "+b)
	}
	erofs, erofsAgain := liveImages(t, repo, commit, "erofs"), liveImages(t, repo, commit, "erofs")
	sh(t, ".", "cmp "+erofs.ISO+" "+erofsAgain.ISO)
	sh(t, t.TempDir(), "cpio -i --quiet <"+made.RootFS+"; unsquashfs -s root.squashfs | grep -q zstd; grep -qx 1 etc/coreos-live-rootfs")
	if at := sh(t, ".", "dd if="+made.RootFS+" bs=1 skip=124 count=4 2>/dev/null"); at != "hsqs" {
		t.Errorf("byte 124 of the root is %q, want a squashfs", at)
	}
	t.Run("embed areas", func(t *testing.T) { areasAreTrue(t, made.ISO) })
	t.Run("features", func(t *testing.T) { featuresAreTrue(t, repo, made) })
	for name, cfg := range map[string]tinyos.BootConfig{
		"disk by BIOS": {Disk: made.ISO},
		"disk by UEFI": {Disk: made.ISO, UEFI: true},
		"network":      network(t, made, "squashfs"),
		"erofs":        network(t, erofs, "erofs"),
	} {
		t.Run(name, func(t *testing.T) { boots(t, cfg, commit, "metal") })
	}
}

// network boots as a boot loader that was given kernel, initramfs and root.
func network(t *testing.T, f live.Files, name string) tinyos.BootConfig {
	t.Helper()
	initrd := filepath.Join(t.TempDir(), name)
	sh(t, ".", "cat "+f.Initramfs+" "+f.RootFS+" >"+initrd)
	return tinyos.BootConfig{Kernel: f.Kernel, Initrd: initrd, Append: f.Kargs}
}

func liveImages(t *testing.T, repo, commit, kind string, options ...string) live.Files {
	t.Helper()
	f, err := live.Make(t.Context(), live.Request{
		Job: install.Job{
			OS: "tinyos", Commit: commit, Ref: ref, Build: "1", Image: "tinyos-1-live.x86_64.iso", Sector: 512,
			Kargs: []string{"console=tty0", "console=ttyS0"}, Time: time.Unix(1700000000, 0),
		},
		Repo: repo, Type: kind, Options: options, Label: "tinyos-1",
	}, newTask(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{f.ISO, f.Kernel, f.Initramfs, f.RootFS} {
		if st, err := os.Stat(path); err != nil || st.Size() == 0 {
			t.Fatalf("%s: %v, %v", path, st, err)
		}
	}
	return f
}

// coreos-installer writes into these areas of an ISO: what is said of them is true.
func areasAreTrue(t *testing.T, iso string) {
	t.Helper()
	dir := t.TempDir()
	sh(t, dir, "xorriso -osirrox on -indev "+iso+" -extract / iso 2>/dev/null; chmod -R u+w iso")
	var kargs struct {
		Default string
		Files   []struct {
			Path     string
			Offset   int
			End, Pad string
		}
		Size int
	}
	var ignition struct{ File string }
	readJSON(t, filepath.Join(dir, "iso/coreos/kargs.json"), &kargs)
	readJSON(t, filepath.Join(dir, "iso/coreos/igninfo.json"), &ignition)
	if len(kargs.Files) != 1 {
		t.Fatalf("areas: %+v", kargs)
	}
	f := kargs.Files[0]
	menu, err := os.ReadFile(filepath.Join(dir, "iso", f.Path))
	if err != nil {
		t.Fatal(err)
	}
	area := string(menu[f.Offset : f.Offset+kargs.Size])
	if want := kargs.Default + f.End; !strings.HasPrefix(area, want) || strings.Trim(area[len(want):], f.Pad) != "" {
		t.Errorf("the area is %q, want %q and %q to its end", area, want, f.Pad)
	}
	if !strings.HasPrefix(string(menu[f.Offset+kargs.Size:]), " COREOS_KARG_EMBED_AREA\n") || !strings.HasSuffix(area, "#") {
		t.Errorf("the area isn't named at its end")
	}
	if strings.Contains(kargs.Default, "ostree=") {
		t.Errorf("arguments name a deployment: %q", kargs.Default)
	}
	if !strings.Contains(kargs.Default, "ignition.platform.id=metal") || !strings.Contains(kargs.Default, "coreos.liveiso=tinyos-1") {
		t.Errorf("arguments: %q", kargs.Default)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "iso", ignition.File)); err != nil || len(b) != 256<<10 || strings.Trim(string(b), "\x00") != "" {
		t.Errorf("%s has %d bytes, want 256 KiB of zeros: %v", ignition.File, len(b), err)
	}
}

// What a tree's coreos-installer can be told is told of the images; without one, nothing.
func featuresAreTrue(t *testing.T, repo string, made live.Files) {
	t.Helper()
	var got map[string]any
	featuresOf(t, made, &got)
	if diff := cmp.Diff(map[string]any{"installer-config": false, "live-initrd-network": false}, got); diff != "" {
		t.Errorf("without an installer (-want +got):\n%s", diff)
	}
	commit := commitInstaller(t, repo)
	got = nil
	made = liveImages(t, repo, commit, "squashfs")
	featuresOf(t, made, &got)
	if diff := cmp.Diff(map[string]any{
		"installer-config": true, "live-initrd-network": true, "initrd-copy-network": true,
		"installer-config-directives": map[string]any{"image-url": true, "copy-network": true},
	}, got); diff != "" {
		t.Errorf("with one (-want +got):\n%s", diff)
	}
	minisoIsTrue(t, made)
	again := liveImages(t, repo, commit, "squashfs")
	sh(t, ".", "cmp "+made.ISO+" "+again.ISO)
}

// commitInstaller adds a stand-in for coreos-installer to the tree.
func commitInstaller(t *testing.T, repo string) string {
	t.Helper()
	return sh(t, filepath.Dir(repo), "ostree --repo="+repo+" checkout -U "+ref+" tree; cd tree; cat ../repo/coreos-installer-*.rpm | rpm2archive -n - | tar -x; "+
		"ostree --repo="+repo+" commit -b "+ref+" --tree=dir=. --bootable --timestamp=@1700000000")
}

// minisoIsTrue looks for what the installer noted of the smaller ISO.
func minisoIsTrue(t *testing.T, made live.Files) {
	t.Helper()
	dir := t.TempDir()
	note := sh(t, dir, "xorriso -osirrox on -indev "+made.ISO+" -extract /coreos/miniso.dat note 2>/dev/null; [ $(stat -c %s note) = 16384 ]; tr -d '\\0' <note")
	var size, root int64
	if _, err := fmt.Sscanf(note, "without the root: %d bytes", &size); err != nil {
		t.Fatalf("%q: %v", note, err)
	}
	st, err := os.Stat(made.ISO)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := os.Stat(made.RootFS); err == nil {
		root = r.Size()
	}
	if less := st.Size() - size; root == 0 || less < root || less > root+1<<20 {
		t.Errorf("the smaller ISO has %d bytes less, want those of the root, %d", less, root)
	}
}

// featuresOf reads the table of an ISO, which is that of its initramfs too.
func featuresOf(t *testing.T, made live.Files, into any) {
	t.Helper()
	dir := t.TempDir()
	sh(t, dir, "xorriso -osirrox on -indev "+made.ISO+" -extract /coreos coreos 2>/dev/null")
	sh(t, dir, "grep -aqF -f coreos/features.json "+made.Initramfs)
	readJSON(t, filepath.Join(dir, "coreos/features.json"), into)
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}
