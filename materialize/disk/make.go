package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"cosafs/materialize"
	"cosafs/materialize/disk/view"
)

// Make implements [materialize.DiskWriter]. Out is complete or not there.
func (w *Writer) Make(ctx context.Context, req materialize.ImageRequest, out string, t *materialize.Task) error {
	t.Phase(req.Kind, 0)
	p, err := platformOf(req.Kind)
	if err != nil {
		return err
	}
	disk, err := p.open(req)
	if err != nil {
		return err
	}
	defer func() { _ = disk.Close() }() // read only
	tmp := filepath.Join(t.Scratch, filepath.Base(out)+".tmp")
	defer func() { _ = os.Remove(tmp) }() // gone if all went well
	if err := p.write(ctx, coding{req: req, disk: disk, out: tmp, task: t}); err != nil {
		return materialize.FailFull(makeOp, err)
	}
	t.Phase(req.Kind, 1)
	return publish(tmp, out)
}

// write writes the platform's file.
func (p platform) write(ctx context.Context, c coding) error {
	switch {
	case p.code != nil:
		return p.code(ctx, c)
	case p.plain && p.frame == nil:
		return share(ctx, c, p.id)
	}
	return store(ctx, c.disk, c.out)
}

// store writes an image to a new file, with holes where it has no data.
func store(ctx context.Context, image view.Image, path string) error {
	return create(path, image.Size(), func(f *os.File) error { return view.Copy(ctx, f, image) })
}

// share is store for a disk that is the base disk but for its stamp: their blocks are
// shared where the file system can.
func share(ctx context.Context, c coding, id string) error {
	return create(c.out, c.disk.Size(), func(f *os.File) error {
		if clone(f, c.req.Base.Path) != nil {
			return view.Copy(ctx, f, c.disk)
		}
		return Stamp(f, c.req.Base, id, c.req.PlatformsJSON)
	})
}

// create makes the sparse file of the size and has it filled.
func create(path string, size int64, fill func(*os.File) error) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if err = f.Truncate(size); err == nil {
		err = fill(f)
	}
	return errors.Join(err, f.Close())
}

// clone makes the file share the blocks of another.
func clone(to *os.File, path string) error {
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }() // read only
	if err := unix.IoctlFileClone(int(to.Fd()), int(from.Fd())); err != nil {
		return fmt.Errorf("clone: %w", err)
	}
	return nil
}
