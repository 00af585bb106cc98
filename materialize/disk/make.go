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
func (w *Writer) Make(ctx context.Context, base materialize.BaseDisk, kind string, imageJSON []byte, out string,
	t *materialize.Task,
) error {
	t.Phase(kind, 0)
	image, err := open(base, kind, imageJSON)
	if err != nil {
		return err
	}
	defer func() { _ = image.Close() }() // read only
	tmp := filepath.Join(t.Scratch, filepath.Base(out)+".tmp")
	defer func() { _ = os.Remove(tmp) }() // gone if all went well
	if err := write(ctx, image, base, kind, tmp); err != nil {
		return failure(makeOp, err)
	}
	t.Phase(kind, 1)
	return publish(tmp, out)
}

// write writes the image to a new file, with holes where it has no data. The disk
// as it is shares its blocks with the base disk where the file system can.
func write(ctx context.Context, image view.Image, base materialize.BaseDisk, kind, path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if platforms()[kind].plain && clone(f, base.Path) == nil {
		err = Stamp(f, base, "metal")
	} else if err = f.Truncate(image.Size()); err == nil {
		err = view.Copy(ctx, f, image)
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
