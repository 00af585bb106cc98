package guest

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"cosafs/materialize"
)

// Serials of the disks that a job works with.
const (
	RepoDisk   = "repo"   // an ext4 whose root is a bare-user OSTree repository that has Commit, and Ref for it
	TargetDisk = "target" // becomes the base disk
)

// A Job says which base disk to write. The names are those of cosa's
// create_disk.sh where it has them.
type Job struct {
	OS     string `json:"os"` // ostree's osname
	Commit string `json:"commit"`
	Ref    string `json:"ref,omitempty"`    // origin; "" = the commit itself
	Remote string `json:"remote,omitempty"` // of the origin
	// Build and Image go into the aleph file, which tells in a running system
	// what it was installed from.
	Build  string `json:"build"`
	Image  string `json:"image"`
	Sector int    `json:"sector"` // bytes, of TargetDisk
	// Root is the root file system, xfs or ext4, and RootArgs goes to its mkfs.
	Root     string   `json:"root"`
	RootArgs []string `json:"root_args,omitempty"`
	Kargs    []string `json:"kargs,omitempty"`
	// Ignition says that the tree configures itself at its first boot. Its
	// initramfs then finds the root by label, since it changes the UUIDs.
	Ignition bool `json:"ignition,omitempty"`
	// Platforms is the table of platforms.yaml for the architecture; see [WritePlatforms].
	Platforms json.RawMessage `json:"platforms,omitempty"`
	// Time becomes the guest's clock, so that what is written now doesn't say so;
	// zero leaves it alone.
	Time time.Time `json:"time"`
}

// A Result is what there is to know of a written disk.
type Result struct {
	// Platform is where the platform field lies; see [PlatformField].
	Platform []materialize.Extent `json:"platform"`
	// Console is where the console field of grub.cfg lies; see [ConsoleField].
	Console []materialize.Extent `json:"console,omitempty"`
}

// Places in the guest.
const (
	repoDir   = "/tmp/repo"
	targetDir = "/tmp/target" // the root, with boot mounted inside
	bootDir   = targetDir + "/boot"
	espDir    = "/tmp/esp"
)

// run writes the disk. Fractions are what the phases take under emulation.
func (j *Job) run(ctx context.Context, s *steps) (Result, error) {
	if err := j.setClock(); err != nil {
		return Result{}, err
	}
	disk, err := findDisk(TargetDisk)
	if err != nil {
		return Result{}, err
	}
	for _, phase := range []struct {
		name     string
		fraction float64
		do       func(context.Context, string) error
	}{
		{"partition", 0.05, s.partition},
		{"mkfs", 0.1, s.makeFilesystems},
		{"mount", 0.2, s.mount},
		{"pull", 0.25, s.pull},
		{"deploy", 0.4, s.deploy},
		{"bootloader", 0.8, s.installGRUB},
		{"finish", 0.9, s.finish},
	} {
		if err := s.phase(phase.name, phase.fraction); err != nil {
			return Result{}, err
		}
		if err := phase.do(ctx, disk); err != nil {
			return Result{}, fmt.Errorf("%s: %w", phase.name, err)
		}
	}
	return s.result, nil
}

func (j *Job) setClock() error {
	if j.Time.IsZero() {
		return nil
	}
	now := unix.NsecToTimeval(j.Time.UnixNano())
	if err := unix.Settimeofday(&now); err != nil {
		return fmt.Errorf("set clock: %w", err)
	}
	return nil
}

// base is a device's name as the kernel's files spell it.
func base(device string) string { return filepath.Base(device) }
