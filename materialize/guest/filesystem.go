package guest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"cosafs/materialize/disk/install"
)

// part gives the device of a partition.
func part(disk string, number int) string { return disk + strconv.Itoa(number) }

// makeFilesystems makes them, and at the same time what later phases wait for:
// most of all this is reading and linking programs, which is slow under emulation.
func (s *steps) makeFilesystems(ctx context.Context, disk string) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.command(ctx, "modprobe", "-a", "vfat", s.job.Root) })
	g.Go(func() error { return s.fat(ctx, part(disk, install.ESP)) })
	g.Go(func() error { return s.command(ctx, "mke2fs", append(s.job.BootArgs(""), part(disk, install.Boot))...) })
	g.Go(func() error { return s.root(ctx, part(disk, install.Root)) })
	g.Go(func() error { return s.system.GRUBImages(ctx) })
	return g.Wait()
}

func (s *steps) fat(ctx context.Context, device string) error {
	return s.command(ctx, "mkfs.fat", append(s.job.FATArgs(), device)...)
}

func (s *steps) root(ctx context.Context, device string) error {
	if s.job.Root == "ext4" {
		return s.command(ctx, "mke2fs", append(s.job.RootArgsExt4(""), device)...)
	}
	return s.command(ctx, "mkfs.xfs", append(s.job.XFSArgs(), device)...)
}

// grub installs GRUB for UEFI and, where there is a partition for it, BIOS.
func (s *steps) grub(_ context.Context, disk string) error {
	var err error
	if s.console, err = s.system.WriteGRUB(); err != nil {
		return err
	}
	dir := filepath.Join("/sys/block", base(disk), base(part(disk, install.BIOSBoot)))
	start, err := number(filepath.Join(dir, "start"))
	if err != nil {
		return err
	}
	size, err := number(filepath.Join(dir, "size"))
	if err != nil {
		return err
	}
	return s.system.WriteBIOS(disk, start*512, size*512)
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
		{part(disk, install.Root), targetDir, s.job.Root, 0},
		{part(disk, install.Boot), bootDir, "ext4", 0},
		{part(disk, install.ESP), espDir, "vfat", 0},
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
	field, err := install.AddPlatform(bootDir)
	if err != nil {
		return err
	}
	if s.result.Platform, err = locate(field, base(disk), install.Boot); err != nil {
		return err
	}
	if s.result.Console, err = locate(s.console, base(disk), install.Boot); err != nil {
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
