package guest

import (
	"context"
	_ "embed" // for grub.cfg
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// grubDir is where the appliance has GRUB's modules.
const grubDir = "/usr/lib/grub"

// grubConfig makes a menu from the boot entries that ostree writes.
//
//go:embed grub.cfg
var grubConfig []byte

// early is the configuration inside GRUB's image: it finds the real one.
const early = `search --no-floppy --label boot --set root
set prefix=($root)/grub2
configfile ($root)/grub2/grub.cfg
`

// GRUB's names of the two ways to boot, and the images for them.
const (
	efiGRUB  = "x86_64-efi"
	biosGRUB = "i386-pc"
)

// imagePath is where grubImage puts the image.
func imagePath(platform string) string { return filepath.Join("/tmp", platform+".img") }

// modules of GRUB's image. linux is not among them: see grub.cfg. What it depends
// on is, as there is no place on the disk where GRUB would look for it.
func modules(platform string) []string {
	all := "part_gpt ext2 fat search search_label normal configfile test true echo regexp " +
		"minicmd ls cat reboot halt serial terminal relocator boot video mmap"
	if platform == biosGRUB {
		all += " biosdisk verifiers vbe"
	}
	return strings.Fields(all)
}

// installGRUB installs it for UEFI and, where there is a partition for it, BIOS.
func (s *steps) installGRUB(_ context.Context, disk string) error {
	var err error
	if s.console, err = WriteGRUBConfig(bootDir); err != nil {
		return err
	}
	dir := filepath.Join(bootDir, "grub2")
	if err := addLinux(dir, efiGRUB); err != nil {
		return err
	}
	efi := filepath.Join(espDir, "EFI/BOOT")
	if err := os.MkdirAll(efi, 0o755); err != nil {
		return err
	}
	if err := copyFile(imagePath(efiGRUB), filepath.Join(efi, "BOOTX64.EFI")); err != nil || s.job.Sector == 4096 {
		return err
	}
	if err := addLinux(dir, biosGRUB); err != nil {
		return err
	}
	return writeBIOS(disk, imagePath(biosGRUB))
}

// addLinux puts the module that GRUB loads later into the boot file system.
func addLinux(dir, platform string) error {
	if err := os.MkdirAll(filepath.Join(dir, platform), 0o700); err != nil {
		return err
	}
	name := filepath.Join(platform, "linux.mod")
	return copyFile(filepath.Join(grubDir, name), filepath.Join(dir, name))
}

// grubImage makes GRUB's image for a platform.
func (s *steps) grubImage(ctx context.Context, platform string) error {
	config := imagePath(platform) + ".cfg"
	if err := os.WriteFile(config, []byte(early), 0o600); err != nil {
		return err
	}
	args := []string{
		"-O", platform, "-d", filepath.Join(grubDir, platform), "-p", "/grub2", "-c", config,
		"-o", imagePath(platform),
	}
	return s.command(ctx, "grub-mkimage", append(args, modules(platform)...)...)
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o644)
}

// writeBIOS writes GRUB's first sector, and its image into the partition for it.
func writeBIOS(disk, core string) error {
	sector, err := os.ReadFile(filepath.Join(grubDir, biosGRUB, "boot.img"))
	if err != nil {
		return err
	}
	image, err := os.ReadFile(core)
	if err != nil {
		return err
	}
	start, err := number(filepath.Join("/sys/block", base(disk), base(part(disk, biosBoot)), "start"))
	if err != nil {
		return err
	}
	size, err := number(filepath.Join("/sys/block", base(disk), base(part(disk, biosBoot)), "size"))
	if err != nil {
		return err
	}
	if int64(len(image)) > size*512 {
		return fmt.Errorf("%s: %d bytes do not fit into %d", core, len(image), size*512)
	}
	patchBIOS(sector, image, uint64(start))
	f, err := os.OpenFile(disk, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(sector[:440], 0) // the partition table follows
	if err == nil {
		_, err = f.WriteAt(image, start*512)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// patchBIOS does what grub-bios-setup does for a partition of its own: the
// first sector learns where the image starts (and not to force the drive
// number), the image where its second sector is. Offsets: GRUB's
// include/grub/i386/pc/boot.h.
func patchBIOS(sector, image []byte, start uint64) {
	binary.LittleEndian.PutUint64(sector[0x5c:], start)
	sector[0x66], sector[0x67] = 0x90, 0x90
	binary.LittleEndian.PutUint64(image[0x1f4:], start+1)
}
