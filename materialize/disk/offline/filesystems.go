package offline

import (
	"context"
	"errors"
	"io"
	"os"

	"cosafs/materialize/disk/install"
	"cosafs/materialize/disk/view"
)

// filesystems makes the file systems of their folders.
func (w *writer) filesystems(ctx context.Context) error {
	if err := w.system.Settle(ctx, w.root, w.boot, w.esp); err != nil {
		return err
	}
	job := &w.req.Job
	if err := w.system.Ext4(ctx, w.boot, w.place(install.Boot), job.BootArgs); err != nil {
		return err
	}
	if err := w.system.Ext4(ctx, w.root, w.place(install.Root), job.RootArgsExt4); err != nil {
		return err
	}
	return w.fat(ctx, w.parts[install.ESP-1])
}

// place gives a partition of the disk.
func (w *writer) place(number int) install.Place {
	p := w.parts[number-1]
	return install.Place{Path: w.req.Out, Start: p.start, Size: p.size}
}

// fat makes the EFI system partition, beside the disk: mkfs.fat decides otherwise
// for a part of a file.
func (w *writer) fat(ctx context.Context, p partition) error {
	image := w.esp + ".img"
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, p.size)); err != nil {
		return err
	}
	if err := w.system.FAT(ctx, image); err != nil {
		return err
	}
	return place(ctx, image, w.req.Out, p.start)
}

// place copies a file's data to a place on the disk.
func place(ctx context.Context, image, disk string, at int64) error {
	from, err := view.Open(image)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }() // read only
	to, err := os.OpenFile(disk, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(view.Copy(ctx, io.NewOffsetWriter(to, at), from), to.Close())
}
