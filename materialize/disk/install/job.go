// Package install makes a disk of an OSTree commit bootable: what is written where,
// under which names. It works on folders and devices that it's given, so that the same
// steps serve the virtual machine, which has real ones, and the writer that has only
// files.
package install

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"cosafs/materialize"
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
	Sector int    `json:"sector"` // bytes, of the disk
	// Root is the root file system, xfs or ext4, and RootArgs goes to its mkfs.
	Root     string   `json:"root"`
	RootArgs []string `json:"root_args,omitempty"`
	Kargs    []string `json:"kargs,omitempty"`
	// Ignition says that the tree configures itself at its first boot. Its
	// initramfs then finds the root by label, since it changes the UUIDs.
	Ignition bool `json:"ignition,omitempty"`
	// Platforms is the table of platforms.yaml for the architecture; see [WritePlatforms].
	Platforms json.RawMessage `json:"platforms,omitempty"`
	// Time is the commit's: what is written now doesn't say so.
	Time time.Time `json:"time"`
}

// A Result is what there is to know of a written disk.
type Result struct {
	// Platform is where the platform field lies; see [PlatformField].
	Platform []materialize.Extent `json:"platform"`
	// Console is where the console field of grub.cfg lies; see [ConsoleField].
	Console []materialize.Extent `json:"console,omitempty"`
}

// A System is the one that is installed.
type System struct {
	Job *Job
	// Repo is a bare-user OSTree repository that has the commit, and Ref for it.
	Repo string
	// Root is where the root is laid out, ESP the EFI system partition.
	Root, ESP string
	// Temp is a directory for GRUB's images.
	Temp string
	// Run runs a program, whose failure it makes an error that says why.
	Run func(ctx context.Context, name string, args ...string) error
}

// UUID derives one from the commit, so that writing a disk again gives the same.
func (j *Job) UUID(what string) string {
	h := sha256.Sum256([]byte(j.Commit + " " + what))
	h[6], h[8] = h[6]&0x0f|0x40, h[8]&0x3f|0x80 // version 4 of RFC 9562
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}
