// Package offline writes base disks by this machine's tools alone: without a virtual
// machine, root or a mount. A system is laid out in a folder, file systems are made of
// folders at their places on the disk, and GRUB is put there as its own installer would.
// The root is ext4, the one file system whose mkfs takes a folder as it is.
//
// The disk follows from the request, bit for bit: neither the time nor the machine, nor
// who writes it, is in it.
package offline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"cosafs/materialize"
	"cosafs/materialize/disk/install"
)

const op = "write disk offline"

// A Request says which disk to write.
type Request struct {
	Job  install.Job
	Repo string // bare-user OSTree repository that has the commit, and Job.Ref for it
	Out  string // must not exist
	Size int64  // bytes
}

// Write writes the disk; an Out that is half written is the caller's to delete. It works
// in the task's scratch, which may be any user's. Who isn't root needs user name spaces;
// and since only his own id is mapped there, trees with files of other owners, or with
// attributes that are root's to set, are ClassTool failures that say so.
func Write(ctx context.Context, req Request, t *materialize.Task) (install.Result, error) {
	w := &writer{req: req, root: filepath.Join(t.Scratch, "root"), boot: filepath.Join(t.Scratch, "boot"), esp: filepath.Join(t.Scratch, "esp")}
	w.Tools = install.Tools{Op: op, Task: t, Time: req.Job.Time}
	w.system = &install.System{Job: &w.req.Job, Repo: req.Repo, Root: w.root, ESP: w.esp, Temp: t.Scratch, Run: w.Run}
	for _, phase := range []struct {
		name     string
		fraction float64
		do       func(context.Context) error
	}{
		{"partition", 0.05, w.partition},
		{"pull", 0.1, w.pull},
		{"deploy", 0.3, w.system.Deploy},
		{"bootloader", 0.5, w.bootloader},
		{"file systems", 0.6, w.filesystems},
		{"finish", 0.9, w.finish},
	} {
		t.Phase(phase.name, phase.fraction)
		if err := phase.do(ctx); err != nil {
			return install.Result{}, fmt.Errorf("%s: %w", phase.name, err)
		}
	}
	return w.result, nil
}

// A writer writes one disk.
type writer struct {
	install.Tools
	req             Request
	system          *install.System
	root, boot, esp string // folders that become file systems
	parts           []partition
	fields          []install.Field // platform and console, by path in boot
	result          install.Result
}

// partition makes the disk with its table.
func (w *writer) partition(ctx context.Context) error {
	f, err := os.OpenFile(w.req.Out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(w.req.Size), f.Close()); err != nil {
		return materialize.FailFull(op, err)
	}
	if err := w.system.Partition(ctx, w.req.Out); err != nil {
		return err
	}
	w.parts, err = readTable(w.req.Out, int64(w.req.Job.Sector))
	return err
}

func (w *writer) pull(ctx context.Context) error {
	for _, dir := range []string{w.root, w.esp} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	return w.system.Pull(ctx)
}

// bootloader completes what will be the boot file system and the EFI system partition,
// and takes boot out of the root: it is a partition of its own.
func (w *writer) bootloader(ctx context.Context) error {
	if err := w.system.GRUBImages(ctx); err != nil {
		return err
	}
	console, err := w.system.WriteGRUB()
	if err != nil {
		return err
	}
	inRoot := filepath.Join(w.root, "boot")
	platform, err := install.AddPlatform(inRoot)
	if err != nil {
		return err
	}
	for _, f := range []install.Field{platform, console} {
		if f.Path, err = filepath.Rel(inRoot, f.Path); err != nil {
			return err
		}
		w.fields = append(w.fields, f)
	}
	if err := os.Rename(inRoot, w.boot); err != nil {
		return err
	}
	return os.Mkdir(inRoot, 0o755)
}

// finish makes the disk bootable by BIOS, and finds what is patched for a platform.
func (w *writer) finish(ctx context.Context) error {
	p := w.parts[install.BIOSBoot-1]
	if err := w.system.WriteBIOS(w.req.Out, p.start, p.size); err != nil {
		return err
	}
	for i, at := range []*[]materialize.Extent{&w.result.Platform, &w.result.Console} {
		var err error
		if *at, err = w.locate(ctx, w.place(install.Boot), w.fields[i]); err != nil {
			return err
		}
	}
	return nil
}
