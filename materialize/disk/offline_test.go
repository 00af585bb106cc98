package disk_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"cosafs/materialize"
	"cosafs/materialize/disk"
	"cosafs/test/need"
	"cosafs/test/tinyos"
)

// The offline writer's disk is sound and boots, is the same every time, and the same
// if nobody in particular writes it.
func TestOfflineDisk(t *testing.T) {
	need.Tool(t, "ostree", "sgdisk", "mke2fs", "mkfs.fat", "mcopy", "grub-mkimage", "unshare", "qemu-system-x86_64", "ovmf", "root")
	if testing.Short() {
		t.Skip("starts virtual machines")
	}
	repo, commit := commitTinyOS(t)
	base := offlineDisk(t, repo, commit, filepath.Join(t.TempDir(), "disk.raw"))
	t.Run("sound", func(t *testing.T) {
		sh(t, ".", `sgdisk -v `+base.Path+` | grep 'No problems'
			e2fsck -fn '`+base.Path+`?offset=135266304'; e2fsck -fn '`+base.Path+`?offset=537919488'
			dd if=`+base.Path+` bs=1M skip=2 count=127 of=esp status=none; fsck.fat -n esp; rm esp`)
	})
	t.Run("same again", func(t *testing.T) {
		again := offlineDisk(t, repo, commit, filepath.Join(t.TempDir(), "again.raw"))
		sh(t, ".", "cmp "+base.Path+" "+again.Path)
	})
	t.Run("by nobody", func(t *testing.T) { sh(t, ".", "cmp "+base.Path+" "+byNobody(t, repo, commit)) })
	for name, uefi := range map[string]bool{"BIOS": false, "UEFI": true} {
		t.Run(name, func(t *testing.T) {
			boots(t, tinyos.BootConfig{Disk: base.Path, UEFI: uefi}, commit, "metal")
		})
	}
}

// offlineDisk writes a disk by this machine's tools.
func offlineDisk(t *testing.T, repo, commit, out string) materialize.BaseDisk {
	t.Helper()
	base, err := disk.New(disk.Config{Writer: disk.Offline}).Write(t.Context(), materialize.DiskRequest{
		Repo: repo, Commit: commit, Ref: ref, OS: "tinyos", Build: "1", Arch: "x86_64", Sector: 512, Out: out,
		ImageJSON: []byte(`{"size": 1, "rootfs": "ext4", "extra-kargs": ["console=tty0", "console=ttyS0"]}`),
	}, newTask(t))
	if err != nil {
		t.Fatal(err)
	}
	return base
}

// byNobody has another process write the disk, later and elsewhere, as a user
// without any rights.
func byNobody(t *testing.T, repo, commit string) string {
	t.Helper()
	const nobody = 65534
	dir, err := os.MkdirTemp("", "nobody") //nolint:usetesting // t.TempDir is root's
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // temporary
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	sh(t, ".", "cp -a "+repo+" "+dir+"/repo; cp "+program+" "+dir+"/test; chown -R nobody:nogroup "+dir)
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "test"), "-test.run=^TestWriteForParent$")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+dir, "HOME="+dir, "COSAFS_COMMIT="+commit)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return filepath.Join(dir, "disk.raw")
}

// TestWriteForParent is what byNobody runs.
func TestWriteForParent(t *testing.T) {
	commit := os.Getenv("COSAFS_COMMIT")
	if commit == "" {
		t.Skip("runs for another test")
	}
	offlineDisk(t, "repo", commit, "disk.raw")
}

// What the offline writer can't make is refused before anything is written.
func TestOfflineRefuses(t *testing.T) {
	need.Tool(t, "ostree")
	repo := filepath.Join(t.TempDir(), "repo")
	sh(t, ".", "ostree --repo="+repo+" init --mode=bare-user; mkdir "+repo+"/tree")
	commit := sh(t, ".", "ostree --repo="+repo+" commit --branch=x --tree=dir="+repo+"/tree --timestamp=@1700000000")
	out := filepath.Join(t.TempDir(), "disk.raw")
	_, err := disk.New(disk.Config{Writer: disk.Offline}).Write(t.Context(), materialize.DiskRequest{
		Repo: repo, Commit: commit, OS: "x", Build: "1", Arch: "x86_64", Sector: 512, Out: out, ImageJSON: []byte(`{"size": 2, "rootfs": "xfs"}`),
	}, newTask(t))
	wantClass(t, err, materialize.ClassConfig)
	if _, err := os.Stat(out); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was written: %v", err)
	}
}
