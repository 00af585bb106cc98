package install

import (
	"context"
	_ "embed" // for grub.cfg
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"
)

// grubDir is where Debian has GRUB's modules, and so the appliance.
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

// imagePath is where GRUBImages puts the image.
func (s *System) imagePath(platform string) string { return filepath.Join(s.Temp, platform+".img") }

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

// WriteGRUB puts GRUB's files into the boot file system and the EFI system partition,
// and says where the console field is.
func (s *System) WriteGRUB() (console Field, err error) {
	if console, err = WriteGRUBConfig(s.boot()); err != nil {
		return console, err
	}
	dir := filepath.Join(s.boot(), "grub2")
	if err := addLinux(dir, efiGRUB); err != nil {
		return console, err
	}
	if s.Job.Sector != 4096 {
		if err := addLinux(dir, biosGRUB); err != nil {
			return console, err
		}
	}
	efi := filepath.Join(s.ESP, "EFI/BOOT")
	if err := os.MkdirAll(efi, 0o755); err != nil {
		return console, err
	}
	return console, copyFile(s.imagePath(efiGRUB), filepath.Join(efi, "BOOTX64.EFI"))
}

// addLinux puts the module that GRUB loads later into the boot file system.
func addLinux(dir, platform string) error {
	if err := os.MkdirAll(filepath.Join(dir, platform), 0o700); err != nil {
		return err
	}
	name := filepath.Join(platform, "linux.mod")
	return copyFile(filepath.Join(grubDir, name), filepath.Join(dir, name))
}

// GRUBImages makes GRUB's images for UEFI and BIOS, which WriteGRUB and WriteBIOS want.
func (s *System) GRUBImages(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, platform := range []string{efiGRUB, biosGRUB} {
		g.Go(func() error { return s.grubImage(ctx, platform) })
	}
	return g.Wait()
}

func (s *System) grubImage(ctx context.Context, platform string) error {
	config := s.imagePath(platform) + ".cfg"
	if err := os.WriteFile(config, []byte(early), 0o600); err != nil {
		return err
	}
	args := []string{
		"-O", platform, "-d", filepath.Join(grubDir, platform), "-p", "/grub2", "-c", config,
		"-o", s.imagePath(platform),
	}
	return s.Run(ctx, "grub-mkimage", append(args, modules(platform)...)...)
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o644)
}

// WriteBIOS writes GRUB's first sector to a disk, and its image into the partition for
// it, which has so many bytes from start on. Where no BIOS boots it does nothing.
func (s *System) WriteBIOS(disk string, start, size int64) error {
	if s.Job.Sector == 4096 {
		return nil
	}
	sector, err := os.ReadFile(filepath.Join(grubDir, biosGRUB, "boot.img"))
	if err != nil {
		return err
	}
	core := s.imagePath(biosGRUB)
	image, err := os.ReadFile(core)
	if err != nil {
		return err
	}
	if int64(len(image)) > size {
		return fmt.Errorf("%s: %d bytes do not fit into %d", core, len(image), size)
	}
	patchBIOS(sector, image, uint64(start/512))
	f, err := os.OpenFile(disk, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(sector[:440], 0) // the partition table follows
	if err == nil {
		_, err = f.WriteAt(image, start)
	}
	return errors.Join(err, f.Close())
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
