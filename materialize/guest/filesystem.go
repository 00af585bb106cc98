package guest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// The identities that cosa gives every disk (create_disk.sh). A system's first
// boot replaces them where Ignition runs.
const (
	diskGUID = "00000000-0000-4000-a000-000000000001" // the sentinel that first boots look for
	bootUUID = "96d15588-3596-4b3c-adca-a2ff7279ea63"
	rootUUID = "910678ff-f77e-4a7d-8d53-86f2ac47a823"
	espID    = "7b7795e7" // as osbuild has it
)

// Type GUIDs of partitions.
const (
	typeBIOSBoot = "21686148-6449-6E6F-744E-656564454649"
	typeReserved = "8DA63339-0007-60C0-C436-083AC8230908"
	typeESP      = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
	typeLinux    = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
)

// Numbers of partitions; other programs rely on them.
const (
	biosBoot = 1 + iota
	esp
	boot
	root
)

// part gives the device of a partition.
func part(disk string, number int) string { return disk + strconv.Itoa(number) }

// partition writes the partition table of cosa's x86_64 disks.
func (s *steps) partition(ctx context.Context, disk string) error {
	first, name := typeBIOSBoot, "BIOS-BOOT"
	if s.job.Sector == 4096 { // no BIOS boots from such a disk
		first, name = typeReserved, "reserved"
	}
	args := []string{"--disk-guid=" + diskGUID}
	for _, p := range []struct {
		number           int
		label, size, typ string
	}{
		{biosBoot, name, "+1M", first},
		{esp, "EFI-SYSTEM", "+127M", typeESP},
		{boot, "boot", "+384M", typeLinux},
		{root, "root", "0", typeLinux},
	} {
		n := strconv.Itoa(p.number)
		args = append(args, "-n", n+":0:"+p.size, "-c", n+":"+p.label, "-t", n+":"+p.typ,
			"-u", n+":"+s.uuid("partition "+p.label))
	}
	return s.command(ctx, "sgdisk", append(args, disk)...)
}

// uuid derives one from the commit, so that writing a disk again gives the same.
func (s *steps) uuid(what string) string {
	h := sha256.Sum256([]byte(s.job.Commit + " " + what))
	h[6], h[8] = h[6]&0x0f|0x40, h[8]&0x3f|0x80 // version 4 of RFC 9562
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// makeFilesystems makes them, and at the same time what later phases wait for:
// most of all this is reading and linking programs, which is slow under emulation.
func (s *steps) makeFilesystems(ctx context.Context, disk string) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.command(ctx, "modprobe", "-a", "vfat", s.job.Root) })
	g.Go(func() error { return s.fat(ctx, part(disk, esp)) })
	g.Go(func() error { return s.ext4(ctx, part(disk, boot), "boot", bootUUID) })
	g.Go(func() error { return s.root(ctx, part(disk, root)) })
	g.Go(func() error { return s.grubImage(ctx, efiGRUB) })
	g.Go(func() error { return s.grubImage(ctx, biosGRUB) })
	return g.Wait()
}

func (s *steps) fat(ctx context.Context, device string) error {
	args := []string{"--invariant", "-i", espID, "-n", "EFI-SYSTEM"}
	if s.job.Sector != 4096 { // with such sectors 127 MiB are too few clusters for FAT32
		args = append(args, "-F", "32")
	}
	return s.command(ctx, "mkfs.fat", append(args, device)...)
}

func (s *steps) root(ctx context.Context, device string) error {
	if s.job.Root == "ext4" {
		return s.ext4(ctx, device, "root", rootUUID, s.job.RootArgs...)
	}
	args := append([]string{"-f", "-K", "-q", "-L", "root", "-m", "reflink=1,uuid=" + rootUUID}, s.job.RootArgs...)
	return s.command(ctx, "mkfs.xfs", append(args, device)...)
}

// ext4 makes one that old kernels and GRUB can read. The disk is a new file, so
// it holds zeros already. A block never lies in an inode: GRUB and the platform
// field need the boot entry to have one of its own.
func (s *steps) ext4(ctx context.Context, device, label, uuid string, more ...string) error {
	args := append([]string{
		"-t", "ext4", "-q", "-F", "-b", "4096", "-L", label, "-U", uuid,
		"-O", "^orphan_file,^metadata_csum_seed,^inline_data",
		"-E", "nodiscard,assume_storage_prezeroed=1,hash_seed=" + s.uuid("hash "+label),
	}, more...)
	return s.command(ctx, "mke2fs", append(args, device)...)
}

func (s *steps) mount(_ context.Context, disk string) error {
	repo, err := findDisk(RepoDisk)
	if err != nil {
		return err
	}
	for _, m := range []struct {
		device, dir, kind string
		flags             uintptr
	}{
		{repo, repoDir, "ext4", unix.MS_RDONLY},
		{part(disk, root), targetDir, s.job.Root, 0},
		{part(disk, boot), bootDir, "ext4", 0},
		{part(disk, esp), espDir, "vfat", 0},
	} {
		if err := os.MkdirAll(m.dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.device, m.dir, m.kind, m.flags, ""); err != nil {
			return fmt.Errorf("mount %s on %s: %w", m.device, m.dir, err)
		}
	}
	return nil
}

// finish finds what is patched for a platform and closes the disk.
func (s *steps) finish(ctx context.Context, disk string) error {
	field, err := AddPlatform(bootDir)
	if err != nil {
		return err
	}
	if s.result.Platform, err = locate(field, base(disk), boot); err != nil {
		return err
	}
	if s.result.Console, err = locate(s.console, base(disk), boot); err != nil {
		return err
	}
	// What was written and deleted again is not part of the image.
	if err := s.command(ctx, "fstrim", targetDir); err != nil {
		return err
	}
	if err := s.command(ctx, "fstrim", bootDir); err != nil {
		return err
	}
	for _, dir := range []string{espDir, bootDir, targetDir} {
		if err := unix.Unmount(dir, 0); err != nil {
			return fmt.Errorf("unmount %s: %w", dir, err)
		}
	}
	return nil
}
