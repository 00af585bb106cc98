// Package disk writes base disks and makes artifacts of them: it reads the
// image configuration (image.yaml), has the appliance write one raw disk for
// an OSTree commit, and gives that disk the frame of a platform.
package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

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
}

// A Writer writes disks for x86_64. It is safe for concurrent use.
type Writer struct{ cfg Config }

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
func (w *Writer) Tool() string { return "disk-3" }

const (
	writeOp = "write disk"
	makeOp  = "make image"
)

// run runs a program of this machine for the task. What it says on stderr is
// in the error, whose class is ClassTool if it's not installed, ClassSpace if
// a disk is full.
func run(ctx context.Context, t *materialize.Task, op, name string, args ...string) error {
	_, err := output(ctx, t, op, name, args...)
	return err
}

// output is like run and gives what the program printed.
func output(ctx context.Context, t *materialize.Task, op, name string, args ...string) ([]byte, error) {
	if _, err := exec.LookPath(name); err != nil {
		return nil, materialize.Fail(materialize.ClassTool, op, "apt-get install "+packageOf(name), err)
	}
	var out, said bytes.Buffer
	cmd := materialize.CommandContext(ctx, t, name, args...)
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	if t.Log != nil {
		_, _ = t.Log.Write(said.Bytes()) // a log that can't be written must not fail the work
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, failure(op, fmt.Errorf("%s: %w: %s", name, err, bytes.TrimSpace(said.Bytes())))
	}
	return out.Bytes(), nil
}

// packageOf names the Debian package of a program.
func packageOf(program string) string {
	switch program {
	case "mke2fs":
		return "e2fsprogs"
	case "qemu-img", "qemu-io":
		return "qemu-utils"
	case "cp":
		return "coreutils"
	}
	return program
}

// failure gives err the class of a full disk if it is one; programs only print
// the reason.
func failure(op string, err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) ||
		bytes.Contains([]byte(err.Error()), []byte(unix.ENOSPC.Error())) {
		return materialize.Fail(materialize.ClassSpace, op, "free space where the build directory lies", err)
	}
	return fmt.Errorf("%s: %w", op, err)
}

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
