// Package disk writes base disks and makes artifacts of them: it reads the
// image configuration (image.yaml), has the appliance write one raw disk for
// an OSTree commit, and gives that disk the frame of a platform.
package disk

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"cosafs/materialize"
	"cosafs/materialize/appliance"
)

// Config says where things are. Only ConfigDir and CacheDir are needed.
type Config struct {
	// ConfigDir holds image.yaml: src/config of cosa's working directory.
	ConfigDir string
	// Image is the name of the image configuration there; "" is image.yaml.
	Image string
	// CacheDir keeps appliances; see [appliance.Config].
	CacheDir string
	// Program is what runs inside the appliance; "" is the running program. Its
	// main must call guest.Main where guest.IsInit.
	Program string
	Memory  int           // MiB of the virtual machine; 0 = cosa's 2048
	Idle    time.Duration // a virtual machine that is silent for so long hangs; 0 = 3 min
	// Version is the program's: another one may compute views otherwise.
	Version string
	// Writer writes the disks: Supermin, Offline or Auto; "" is Supermin.
	Writer string
}

// What writes a base disk.
const (
	Supermin = "supermin" // a virtual machine, as cosa does
	Offline  = "offline"  // this machine's tools, where the root is ext4; the same disk every time
	Auto     = "auto"     // Offline where the root is ext4, Supermin else
)

// A Writer writes disks for x86_64. It is safe for concurrent use.
type Writer struct {
	cfg    Config
	cloner cloner
}

var _ materialize.DiskWriter = (*Writer)(nil)

// New gives a Writer. It reads nothing yet.
func New(cfg Config) *Writer {
	if cfg.Image == "" {
		cfg.Image = "image.yaml"
	}
	return &Writer{cfg: cfg}
}

// Tool is changed by hand with each change of what a disk looks like. Versions
// of mkfs and GRUB are not part of it: a disk stays good when they change.
func (w *Writer) Tool() string {
	if w.cfg.Writer == "" || w.cfg.Writer == Supermin {
		return "disk-3"
	}
	return "disk-3-" + w.cfg.Writer
}

const (
	writeOp = "write disk"
	makeOp  = "make image"
)

// publish moves a finished file to its name, so that it's never seen half.
func publish(tmp, out string) error {
	if err := os.Rename(tmp, out); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(out), err)
	}
	return nil
}

// appliance gives the one for this machine.
func (w *Writer) appliance(ctx context.Context, t *materialize.Task) (*appliance.Appliance, error) {
	return appliance.Prepare(ctx, appliance.Config{Dir: w.cfg.CacheDir, Program: w.cfg.Program}, t)
}
