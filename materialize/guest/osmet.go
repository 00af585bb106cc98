package guest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"cosafs/materialize"
	"cosafs/materialize/disk/install"
)

// An Osmet says how to pack the disk of a system: the system's own coreos-installer does it,
// as in cosa's osmet-pack.
type Osmet struct {
	Root   string    `json:"root"`   // the root file system, xfs or ext4
	SHA256 string    `json:"sha256"` // hex, of the disk
	Time   time.Time `json:"time"`   // for now, where programs ask for it
}

// A Packed says what was written to the beginning of the target.
type Packed struct {
	Size int64 `json:"size"` // bytes
}

// Places in the guest and in the system. /run is the same in both, and in memory.
const (
	osmetFile = "/run/disk.osmet"
	udevd     = "usr/lib/systemd/systemd-udevd"
)

// A packing packs one disk.
type packing struct {
	programs
	job    *Osmet
	system string // folder of the system: its deployment
	packed Packed
}

func (p *packing) run(ctx context.Context) (Packed, error) {
	disk, err := findDisk(SourceDisk)
	if err != nil {
		return Packed{}, err
	}
	err = p.phases(ctx, disk, []phase{
		{"mount", 0.05, p.mount},
		{"devices", 0.1, ignoring(p.devices)},
		{"pack", 0.2, p.pack},
		{"copy", 0.9, ignoring(p.copy)},
	})
	return p.packed, err
}

// mount mounts the root, which nothing may change, and gives the system in it what it
// needs of a machine. It keeps its temporary files in memory.
func (p *packing) mount(ctx context.Context, disk string) error {
	if err := errors.Join(os.Setenv("TMPDIR", "/run"), os.Mkdir(targetDir, 0o755), p.command(ctx, "modprobe", p.job.Root)); err != nil {
		return err
	}
	if err := unix.Mount(part(disk, install.Root), targetDir, p.job.Root, unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("mount %s: %w", part(disk, install.Root), err)
	}
	var err error
	if p.system, err = install.Deployment(targetDir); err != nil {
		return err
	}
	for _, dir := range []string{"/dev", "/proc", "/sys", "/run"} {
		if err := unix.Mount(dir, filepath.Join(p.system, dir), "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("mount %s: %w", dir, err)
		}
	}
	return nil
}

// inSystem runs a program of the system.
func (p *packing) inSystem(ctx context.Context, args ...string) error {
	return p.command(ctx, "chroot", append([]string{p.system}, args...)...)
}

// devices has the system's udev, if there is one, find file systems by their labels: so
// does coreos-installer look for them. It ends with the machine.
func (p *packing) devices(ctx context.Context) error {
	_, err := os.Stat(filepath.Join(p.system, udevd))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.Setenv("SYSTEMD_IGNORE_CHROOT", "1"); err != nil { // else udevadm does nothing
		return err
	}
	if err := p.inSystem(ctx, "/"+udevd, "--daemon"); err != nil {
		return err
	}
	for _, kind := range []string{"subsystems", "devices"} {
		if err := p.inSystem(ctx, "udevadm", "trigger", "--settle", "--type="+kind, "--action=add"); err != nil {
			return err
		}
	}
	return nil
}

func (p *packing) pack(ctx context.Context, disk string) error {
	name, err := prettyName(filepath.Join(p.system, "usr/lib/os-release"))
	if err != nil {
		return err
	}
	return p.inSystem(ctx, materialize.Installer, "pack", "osmet", disk,
		"--description", name, "--checksum", p.job.SHA256, "--output", osmetFile)
}

// prettyName is what the system calls itself to people (os-release(5)).
func prettyName(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // read only
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "PRETTY_NAME="); ok {
			return strings.Trim(value, `"'`), nil
		}
	}
	return "Linux", nil // as os-release(5) has it
}

// copy copies the file to the beginning of the target.
func (p *packing) copy(context.Context) error {
	target, err := findDisk(TargetDisk)
	if err != nil {
		return err
	}
	in, err := os.Open(osmetFile)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // read only
	out, err := os.OpenFile(target, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	p.packed.Size, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}
