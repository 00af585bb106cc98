package pack

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"cosafs/materialize"
)

// CompressedQCOW2 has qemu-img write the raw disk of the file disk as a qcow2 with
// clusters compressed by zlib to the file out: cosa's nutanix. Out is to be in scratch
// space: it's removed after an error, but not if this program dies. A qemu-img that
// isn't installed is materialize.ClassTool, a full disk ClassSpace; where ctx ends
// qemu-img does, and the error is ctx's cause.
func CompressedQCOW2(ctx context.Context, t *materialize.Task, disk, out string) error {
	return qemuImg(ctx, t, "make compressed qcow2", disk, out, "-c", "-O", "qcow2")
}

func qemuImg(ctx context.Context, t *materialize.Task, op, disk, out string, format ...string) error {
	l := materialize.Tool{Op: op, Name: "qemu-img"}
	args := append([]string{"convert", "-f", "raw"}, format...)
	err := l.Run(ctx, t, append(args, disk, out)...)
	if err == nil {
		return nil
	}
	if gone := os.Remove(out); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
}
