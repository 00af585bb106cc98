package disk

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"cosafs/materialize"
)

// Kinds implements [materialize.DiskWriter]. metal4k is metal from a base disk
// whose request has 4096-byte sectors.
func (w *Writer) Kinds() []string { return []string{"metal", "metal4k", "qemu"} }

// Make implements [materialize.DiskWriter]. Out is complete or not there.
func (w *Writer) Make(ctx context.Context, base materialize.BaseDisk, kind string, imageJSON []byte, out string,
	t *materialize.Task,
) error {
	tmp := filepath.Join(t.Scratch, filepath.Base(out)+".tmp")
	defer func() { _ = os.Remove(tmp) }() // gone if all went well
	t.Phase(kind, 0)
	var err error
	switch kind {
	case "metal", "metal4k":
		err = makeRaw(ctx, base, "metal", tmp, t)
	case "qemu":
		err = makeQcow2(ctx, base, "qemu", imageJSON, tmp, t)
	default:
		err = fmt.Errorf("%s: %s: %w", makeOp, kind, materialize.ErrNotMakeable)
	}
	if err != nil {
		return err
	}
	t.Phase(kind, 1)
	return publish(tmp, out)
}

// makeRaw copies the disk, sharing its blocks where the file system can.
func makeRaw(ctx context.Context, base materialize.BaseDisk, platform, out string, t *materialize.Task) error {
	err := run(ctx, t, makeOp, "cp", "--reflink=auto", "--sparse=auto", "--no-preserve=mode", base.Path, out)
	if err != nil {
		return err
	}
	return stampFile(out, base, platform)
}

// makeQcow2 frames the disk as qcow2 with the size that image.yaml says, and
// stamps the platform inside the frame, which saves a copy of the disk.
func makeQcow2(ctx context.Context, base materialize.BaseDisk, platform string, imageJSON []byte, out string,
	t *materialize.Task,
) error {
	image, err := parseSettings(imageJSON)
	if err != nil {
		return err
	}
	if err := fits(base.Size, image); err != nil {
		return err
	}
	if err := run(ctx, t, makeOp, "qemu-img", "convert", "-f", "raw", "-O", "qcow2", base.Path, out); err != nil {
		return err
	}
	extents, err := framed(ctx, t, out, base.Platform)
	if err != nil {
		return err
	}
	if err := stampFile(out, materialize.BaseDisk{Platform: extents}, platform); err != nil {
		return err
	}
	size := strconv.FormatInt(image.Size, 10) + "G"
	if err := run(ctx, t, makeOp, "qemu-img", "resize", "-q", "-f", "qcow2", out, size); err != nil {
		return err
	}
	return run(ctx, t, makeOp, "qemu-img", "check", "-q", "-f", "qcow2", out)
}
