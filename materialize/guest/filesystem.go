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

// makeRoot makes the root file system, and at the same time what later phases wait for:
// most of all this is reading and linking programs, which is slow under emulation.
func (s *steps) makeRoot(ctx context.Context, disk string) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.command(ctx, "modprobe", s.job.Root) })
	g.Go(func() error { return s.root(ctx, part(disk, install.Root)) })
	g.Go(func() error { return s.system.GRUBImages(ctx) })
	return g.Wait()
}

func (s *steps) root(ctx context.Context, device string) error {
	if s.job.Root == "ext4" {
		return s.command(ctx, "mke2fs", append(s.job.RootArgsExt4(""), device)...)
	}
	return s.command(ctx, "mkfs.xfs", append(s.job.XFSArgs(), device)...)
}

// place gives a partition of the disk.
func place(disk string, number int) (p install.Place, start int64, err error) {
	dir := filepath.Join("/sys/block", base(disk), base(part(disk, number)))
	if start, err = sectors(filepath.Join(dir, "start")); err != nil {
		return p, 0, err
	}
	size, err := sectors(filepath.Join(dir, "size"))
	return install.Place{Path: part(disk, number), Size: size}, start, err
}

// grub installs GRUB for UEFI and, where there is a partition for it, BIOS.
func (s *steps) grub(_ context.Context, disk string) error {
	var err error
	if s.console, err = s.system.WriteGRUB(); err != nil {
		return err
	}
	p, start, err := place(disk, install.BIOSBoot)
	if err != nil {
		return err
	}
	return s.system.WriteBIOS(disk, start, p.Size)
}

// mount mounts the repository and the root. Boot and the EFI system partition are
// folders in memory first: a file system that is made of a folder follows from it.
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
		{"boot", bootDir, "tmpfs", 0},
	} {
		if err := os.MkdirAll(m.dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.device, m.dir, m.kind, m.flags, ""); err != nil {
			return fmt.Errorf("mount %s on %s: %w", m.device, m.dir, err)
		}
	}
	return os.Mkdir(espDir, 0o755)
}

// makeFolders makes the file systems that are made of folders.
func (s *steps) makeFolders(ctx context.Context, disk string) error {
	boot, _, err := place(disk, install.Boot)
	if err != nil {
		return err
	}
	if s.platform, err = install.AddPlatform(bootDir); err != nil {
		return err
	}
	if err := s.system.Settle(ctx, bootDir, espDir); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.system.Ext4(ctx, bootDir, boot, s.job.BootArgs) })
	g.Go(func() error { return s.system.FAT(ctx, part(disk, install.ESP)) })
	return g.Wait()
}

// finish finds what is patched for a platform and closes the disk.
func (s *steps) finish(ctx context.Context, disk string) error {
	if err := s.locate(disk); err != nil {
		return err
	}
	if err := unix.Unmount(bootDir, 0); err != nil {
		return fmt.Errorf("unmount %s: %w", bootDir, err)
	}
	if err := s.settleRoot(ctx); err != nil {
		return err
	}
	// What was written and deleted again is not part of the image.
	if err := s.command(ctx, "fstrim", targetDir); err != nil {
		return err
	}
	if err := unix.Unmount(targetDir, 0); err != nil {
		return fmt.Errorf("unmount %s: %w", targetDir, err)
	}
	return nil
}

// settleRoot gives what was written in the root the job's time. ostree has made the
// deployment immutable, also for that.
func (s *steps) settleRoot(ctx context.Context) error {
	system, err := install.Deployment(targetDir)
	if err != nil {
		return err
	}
	if err := s.command(ctx, "chattr", "-i", system); err != nil {
		return err
	}
	if err := s.system.Settle(ctx, targetDir); err != nil {
		return err
	}
	return s.command(ctx, "chattr", "+i", system)
}

// locate finds the fields in the boot file system, which takes the folder's place for that.
// Reading changes nothing there.
func (s *steps) locate(disk string) error {
	if err := unix.Unmount(bootDir, 0); err != nil {
		return fmt.Errorf("unmount %s: %w", bootDir, err)
	}
	if err := unix.Mount(part(disk, install.Boot), bootDir, "ext4", unix.MS_RDONLY, "noload"); err != nil {
		return fmt.Errorf("mount %s: %w", bootDir, err)
	}
	var err error
	if s.result.Platform, err = locate(s.platform, base(disk), install.Boot); err != nil {
		return err
	}
	s.result.Console, err = locate(s.console, base(disk), install.Boot)
	return err
}
