package offline

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"cosafs/materialize/disk/install"
	"cosafs/materialize/disk/view"
)

// filesystems makes the file systems of their folders.
func (w *writer) filesystems(ctx context.Context) error {
	if err := w.Settle(ctx, w.root, w.boot, w.esp); err != nil {
		return err
	}
	job := &w.req.Job
	for _, fs := range []struct {
		number int
		folder string
		args   func(extended string) []string
	}{
		{install.Boot, w.boot, job.BootArgs},
		{install.Root, w.root, job.RootArgsExt4},
	} {
		p := w.parts[fs.number-1]
		if err := w.ext4(ctx, p, fs.folder, fs.args("offset="+strconv.FormatInt(p.start, 10))); err != nil {
			return err
		}
	}
	return w.fat(ctx, w.parts[install.ESP-1])
}

// ext4 makes a file system of a folder in a partition.
func (w *writer) ext4(ctx context.Context, p partition, folder string, args []string) error {
	args = append(args, "-d", folder, w.req.Out, strconv.FormatInt(p.size/1024, 10)+"k")
	if err := w.Run(ctx, "mke2fs", args...); err != nil {
		return err
	}
	return w.setTimes(ctx, p)
}

// setTimes sets the inodes' times of change and of access. mke2fs takes them from the
// folder: the first can't be set there, and looking changes the second.
func (w *writer) setTimes(ctx context.Context, p partition) error {
	used, err := usedInodes(w.req.Out, p)
	if err != nil {
		return err
	}
	var script strings.Builder
	for _, i := range used {
		now := w.req.Job.Time.Unix()
		fmt.Fprintf(&script, "sif <%d> ctime @%d\nsif <%d> atime @%d\n", i, now, i, now)
	}
	name := filepath.Join(w.Task.Scratch, "debugfs")
	if err := os.WriteFile(name, []byte(script.String()), 0o600); err != nil {
		return err
	}
	return w.Run(ctx, "debugfs", "-w", "-f", name, at(w.req.Out, p))
}

// at names a partition of a disk for e2fsprogs.
func at(disk string, p partition) string { return disk + "?offset=" + strconv.FormatInt(p.start, 10) }

// Inodes of ext4 that are in use from the start: the root directory, and the first
// that is nobody's in particular.
const (
	rootInode  = 2
	firstInode = 11
)

// usedInodes gives the inodes of a new ext4, which takes them one after the other
// (superblock: ext4's documentation, counts at 0 and 16).
func usedInodes(disk string, p partition) ([]int, error) {
	f, err := os.Open(disk)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read only
	super := make([]byte, 20)
	if _, err := f.ReadAt(super, p.start+1024); err != nil {
		return nil, err
	}
	used := []int{rootInode}
	for i := firstInode; i <= int(binary.LittleEndian.Uint32(super)-binary.LittleEndian.Uint32(super[16:])); i++ {
		used = append(used, i)
	}
	return used, nil
}

// fat makes the EFI system partition, beside the disk: mkfs.fat decides otherwise
// for a part of a file.
func (w *writer) fat(ctx context.Context, p partition) error {
	image := w.esp + ".img"
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, p.size)); err != nil {
		return err
	}
	if err := w.Run(ctx, "mkfs.fat", append(w.req.Job.FATArgs(), image)...); err != nil {
		return err
	}
	if err := w.Run(ctx, "mcopy", "-i", image, "-s", "-m", filepath.Join(w.esp, "EFI"), "::"); err != nil {
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
