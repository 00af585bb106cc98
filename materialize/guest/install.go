package guest

import (
	"context"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"

	"cosafs/materialize/disk/install"
)

// Places in the guest.
const (
	repoDir   = "/tmp/repo"
	targetDir = "/tmp/target" // the root, with boot mounted inside
	bootDir   = targetDir + "/boot"
	espDir    = "/tmp/esp"
)

// run writes the disk. Fractions are what the phases take under emulation.
func (s *steps) run(ctx context.Context) (install.Result, error) {
	if err := s.setClock(); err != nil {
		return install.Result{}, err
	}
	disk, err := findDisk(TargetDisk)
	if err != nil {
		return install.Result{}, err
	}
	err = s.phases(ctx, disk, []phase{
		{"partition", 0.05, s.system.Partition},
		{"mkfs", 0.1, s.makeRoot},
		{"mount", 0.2, s.mount},
		{"pull", 0.25, ignoring(s.system.Pull)},
		{"deploy", 0.4, ignoring(s.system.Deploy)},
		{"bootloader", 0.8, s.grub},
		{"folders", 0.85, s.makeFolders},
		{"finish", 0.9, s.finish},
	})
	return s.result, err
}

func (s *steps) setClock() error {
	if s.job.Time.IsZero() {
		return nil
	}
	now := unix.NsecToTimeval(s.job.Time.UnixNano())
	if err := unix.Settimeofday(&now); err != nil {
		return fmt.Errorf("set clock: %w", err)
	}
	return nil
}

// base is a device's name as the kernel's files spell it.
func base(device string) string { return filepath.Base(device) }
