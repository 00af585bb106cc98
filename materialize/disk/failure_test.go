package disk_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"cosafs/materialize"
	"cosafs/materialize/appliance"
	"cosafs/materialize/disk"
	"cosafs/materialize/disk/install"
	"cosafs/materialize/guest"
)

func TestWriteRefusesOtherArches(t *testing.T) {
	_, err := disk.New(disk.Config{}).Write(t.Context(), materialize.DiskRequest{Arch: "riscv64"}, newTask(t))
	wantClass(t, err, materialize.ClassConfig)
}

// TestWriteFails has what goes wrong inside the virtual machine, and around it.
func TestWriteFails(t *testing.T) {
	needVM(t)
	t.Setenv("COSA_NO_KVM", "1") // finding out whether it works is another package's test
	cache := t.TempDir()
	t.Run("target too small", func(t *testing.T) { targetTooSmall(t, cache) })
	t.Run("no space here", func(t *testing.T) { noSpace(t, cache) })
}

// targetTooSmall lets the guest find out what Write would not let happen.
func targetTooSmall(t *testing.T, cache string) {
	t.Helper()
	a, err := appliance.Prepare(t.Context(), appliance.Config{Dir: cache}, newTask(t))
	if err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(t.TempDir(), "target.raw")
	if err := os.WriteFile(target, make([]byte, 100<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	run := appliance.Run{
		Job: guest.Job{Install: &install.Job{Root: "xfs"}}, Disks: []appliance.Disk{{Serial: guest.TargetDisk, Path: target}},
	}
	_, err = a.Run(t.Context(), run, newTask(t), func(appliance.Event) {})
	wantClass(t, err, materialize.ClassGuest)
	if !strings.Contains(err.Error(), "partition: sgdisk") {
		t.Errorf("%q does not say which step failed", err)
	}
}

// noSpace writes a disk to a file system of 8 MiB.
func noSpace(t *testing.T, cache string) {
	t.Helper()
	small := t.TempDir()
	if err := unix.Mount("small", small, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	defer func() {
		if err := unix.Unmount(small, 0); err != nil {
			t.Error(err)
		}
	}()
	repo, commit := commitTinyOS(t)
	req := materialize.DiskRequest{
		Repo: repo, Commit: commit, OS: "tinyos", Build: "1", Arch: "x86_64", ImageJSON: []byte(image),
		Sector: 512, Out: filepath.Join(small, "base.raw"),
	}
	_, err := disk.New(disk.Config{CacheDir: cache}).Write(t.Context(), req, newTask(t))
	wantClass(t, err, materialize.ClassSpace)
	if _, err := os.Stat(req.Out); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the half disk is still there: %v", err)
	}
}
