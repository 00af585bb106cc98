// Package live makes the live system of a commit: a kernel, an initramfs and a root that
// boot from the network, and an ISO image of these that boots by BIOS and UEFI, from CD
// or disk. Nothing is installed and no machine is started: the root is the commit laid
// out as on a disk, packed by mksquashfs or mkfs.erofs.
//
// Names, places and embed areas are those of cosa's buildextend-live, so that
// coreos-installer can customise the images and Ignition finds what it put there. Where
// the commit has a coreos-installer, it makes a smaller ISO possible; see pack minimal-iso.
// The images follow from the request, bit for bit.
package live

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"cosafs/materialize"
	"cosafs/materialize/disk/install"
)

const op = "make live images"

// A Request says which system.
type Request struct {
	Job  install.Job // Kargs are those of all images
	Repo string      // bare-user OSTree repository that has the commit, and Job.Ref for it
	// Type is squashfs or erofs, and Options go to its mkfs.
	Type    string
	Options []string
	Label   string // volume id of the ISO, at most 32 bytes
	// Osmets are paths of files for the archive of the root, by their names there, from
	// which coreos-installer writes disks without a network.
	Osmets map[string]string
}

// Files are the paths of finished images, and the kernel's arguments that a boot loader
// in the network gives.
type Files struct{ ISO, Kernel, Initramfs, RootFS, Kargs string }

// Make writes the images into the task's scratch. Failures: ClassTool for a program
// that isn't installed, ClassSpace for a full disk.
func Make(ctx context.Context, req Request, t *materialize.Task) (Files, error) {
	m := &maker{
		Tools: install.Tools{Op: op, Task: t, Time: req.Job.Time},
		req:   req, root: filepath.Join(t.Scratch, "root"), iso: filepath.Join(t.Scratch, "iso"), temp: filepath.Join(t.Scratch, "temp"),
	}
	for _, phase := range []struct {
		name     string
		fraction float64
		do       func(context.Context) error
	}{
		{"deploy", 0.05, m.deploy},
		{"kernel", 0.25, m.kernel},
		{"root file system", 0.3, m.pack},
		{"initramfs", 0.7, m.initramfs},
		{"boot loader", 0.75, m.bootloader},
		{"image", 0.8, m.image},
		{"minimal image", 0.9, m.minimal},
	} {
		t.Phase(phase.name, phase.fraction)
		if err := phase.do(ctx); err != nil {
			return Files{}, fmt.Errorf("%s: %w", phase.name, err)
		}
	}
	return m.files(), nil
}

// A maker makes the images of one system.
type maker struct {
	install.Tools
	req             Request
	root, iso, temp string // folders: the root, the ISO's files, what is needed on the way
	kargs           string // those of the ISO follow
	features        string // see readFeatures
	system          string // folder of the system that is laid out
	installs        bool   // the system has coreos-installer
}

// Places in the ISO, where coreos-installer looks for them.
const (
	kernelFile    = "images/pxeboot/vmlinuz"
	initramfsFile = "images/pxeboot/initrd.img"
	rootFile      = "images/pxeboot/rootfs.img"
	ignitionFile  = "images/ignition.img"
	efiFile       = "images/efiboot.img"
	grubConfig    = "boot/grub2/grub.cfg"
	biosFile      = "boot/grub2/eltorito.img"
)

func (m *maker) in(file string) string { return filepath.Join(m.iso, file) }

func (m *maker) files() Files {
	return Files{
		ISO: filepath.Join(m.Task.Scratch, "live.iso"), Kernel: m.in(kernelFile), Initramfs: m.in(initramfsFile), RootFS: m.in(rootFile),
		Kargs: m.kargs,
	}
}

// deploy lays the commit out. The boot partition's files have no place in the root.
func (m *maker) deploy(ctx context.Context) error {
	for _, dir := range []string{m.root, m.temp, m.in("images/pxeboot"), m.in("boot/grub2"), m.in("coreos")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	system := &install.System{Job: &m.req.Job, Repo: m.req.Repo, Root: m.root, Temp: m.temp, Run: m.Run}
	if err := system.Pull(ctx); err != nil {
		return err
	}
	if err := system.Deploy(ctx); err != nil {
		return err
	}
	entry, err := system.BootEntry()
	if err != nil {
		return err
	}
	m.kargs = m.req.Job.LiveKargs(entry)
	if m.system, err = install.Deployment(m.root); err != nil {
		return err
	}
	if m.features, err = m.readFeatures(); err != nil {
		return err
	}
	if m.installs, err = m.hasInstaller(); err != nil {
		return err
	}
	boot := filepath.Join(m.root, "boot")
	if err := os.Rename(boot, filepath.Join(m.temp, "boot")); err != nil {
		return err
	}
	return os.Mkdir(boot, 0o755)
}

// kernel takes kernel and initramfs out of what was deployed.
func (m *maker) kernel(context.Context) error {
	for pattern, file := range map[string]string{"vmlinuz-*": kernelFile, "initramfs-*": initramfsFile} {
		found, err := filepath.Glob(filepath.Join(m.temp, "boot/ostree/*", pattern))
		if err != nil {
			return err
		}
		if len(found) != 1 {
			return fmt.Errorf("boot/ostree/*/%s: want one file, have %d", pattern, len(found))
		}
		if err := os.Rename(found[0], m.in(file)); err != nil {
			return err
		}
		if err := os.Chmod(m.in(file), 0o644); err != nil { // #nosec G302: the images are for everybody
			return err
		}
	}
	return nil
}
