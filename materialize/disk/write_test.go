package disk_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/materialize"
	"cosafs/materialize/disk"
	"cosafs/test/tinyos"
)

const image = `{"size": 2, "rootfs": "xfs", "extra-kargs": ["console=tty0", "console=ttyS0"]}`

// written gives a base disk of a commit, as an open of next/x86_64/qemu.qcow2 makes it.
func written(t *testing.T, w *disk.Writer, repo, commit string) materialize.BaseDisk {
	t.Helper()
	req := materialize.DiskRequest{
		Repo: repo, Commit: commit, Ref: ref, OS: "tinyos", Build: "1.20240101.0", Arch: "x86_64",
		ImageJSON: []byte(image), Sector: 512, Out: filepath.Join(t.TempDir(), "base.raw"),
	}
	base, err := w.Write(t.Context(), req, newTask(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(base.Platform) == 0 || len(base.Console) == 0 || len(base.Data) == 0 {
		t.Errorf("the base disk is described by %+v only", base)
	}
	return base
}

// boots fails the test unless the image comes up with the commit and the
// platform id.
func boots(t *testing.T, cfg tinyos.BootConfig, commit, platform string) {
	t.Helper()
	console, err := tinyos.Boot(t.Context(), cfg)
	if err != nil {
		t.Fatalf("%v\n%s", err, console)
	}
	for _, want := range []string{
		"tinyos: deployment " + commit, "ignition.platform.id=" + platform, "ostree=/ostree/boot.1/tinyos/",
		"tinyos: ostree booted", "tinyos: /usr read-only",
	} {
		if !bytes.Contains(console, []byte(want)) {
			t.Errorf("console lacks %q:\n%s", want, console)
		}
	}
}

func TestDiskBoots(t *testing.T) {
	needVM(t)
	w := disk.New(disk.Config{ConfigDir: t.TempDir(), CacheDir: t.TempDir()})
	repo, commit := commitTinyOS(t)
	base := written(t, w, repo, commit)
	metal, qemu := filepath.Join(t.TempDir(), "metal.raw"), filepath.Join(t.TempDir(), "qemu.qcow2")
	for kind, out := range map[string]string{"metal": metal, "qemu": qemu} {
		req := request(base, kind)
		req.ImageJSON = []byte(image)
		if err := w.Make(t.Context(), req, out, newTask(t)); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("metal by BIOS", func(t *testing.T) {
		boots(t, tinyos.BootConfig{Disk: metal}, commit, "metal")
	})
	t.Run("qemu by UEFI", func(t *testing.T) {
		boots(t, tinyos.BootConfig{Disk: qemu, Format: "qcow2", UEFI: true}, commit, "qemu")
	})
	t.Run("stamp", func(t *testing.T) {
		stampsOnlyItsField(t, base, metal)
	})
	t.Run("again", func(t *testing.T) {
		again := written(t, w, repo, commit)
		equalButForRoot(t, base, again)
		equalRoots(t, base, again)
	})
}

// stampsOnlyItsField makes a copy another platform's and back: nothing else may
// have changed, nor the file system of the field broken.
func stampsOnlyItsField(t *testing.T, base materialize.BaseDisk, copied string) {
	t.Helper()
	f, err := os.OpenFile(copied, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // cmp reads what was written
	if err := disk.Stamp(f, base, "azure", []byte(`{"azure": {"kernel_arguments": ["console=ttyS1"]}}`)); err != nil {
		t.Fatal(err)
	}
	field := make([]byte, base.Platform[0].Length)
	if _, err := f.ReadAt(field, base.Platform[0].Offset); err != nil {
		t.Fatal(err)
	}
	if want := "ignition.platform.id=azure console=ttyS1"; strings.TrimRight(string(field), " ") != want {
		t.Errorf("field is %q, want %q", field, want)
	}
	sh(t, ".", "e2fsck -fn '"+copied+"?offset=135266304'") // 129 MiB: the boot partition
	if err := disk.Stamp(f, base, "metal", nil); err != nil {
		t.Fatal(err)
	}
	sh(t, ".", "cmp "+base.Path+" "+copied)
}
