package pack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"cosafs/materialize"
	"cosafs/materialize/disk/view"
)

const kubevirtOp = "make kubevirt"

// KubevirtOptions are for [Kubevirt].
type KubevirtOptions struct {
	Name    string    // of the disk in /disk, such as fcos-1-kubevirt.x86_64.qcow2
	Arch    string    // RPM's name of the architecture
	Version string    // the build's id; it becomes the label "version", as in cosa
	Time    time.Time // of all that is inside; not before 1970
	Scratch string    // a directory with room for the compressed disk
	Level   int       // of gzip, 1 to 9; 0 is 6
	Workers int       // 0 is one a CPU
}

// Kubevirt writes an OCI archive: a tar of an OCI image layout with one image, whose
// one layer holds disk, a qcow2, as /disk/<Name>: KubeVirt's containerDisk. The disk
// belongs to 107:107, which is qemu, with mode 0440, as KubeVirt's user guide has it.
// Equal disks and options give equal bytes. An architecture without a name in OCI, a
// Name with directories and a time before 1970 are fs.ErrInvalid; a full disk is
// materialize.ClassSpace.
//
// The layer waits in an unlinked file in Scratch, since its digest stands before it.
func Kubevirt(ctx context.Context, w io.Writer, disk view.Image, o KubevirtOptions) error {
	if err := o.check(); err != nil {
		return fmt.Errorf("%s: %w", kubevirtOp, err)
	}
	spool, err := unlinkedFile(o.Scratch)
	if err != nil {
		return materialize.FailFull(kubevirtOp, err)
	}
	layer, err := writeLayer(ctx, spool, disk, o)
	if err == nil {
		err = writeLayout(ctx, w, spool, layer, o)
	}
	if err := errors.Join(err, spool.Close()); err != nil {
		return materialize.FailFull(kubevirtOp, err)
	}
	return nil
}

func (o KubevirtOptions) check() error {
	if ociArch(o.Arch) == "" {
		return fmt.Errorf("architecture %q: %w", o.Arch, fs.ErrInvalid)
	}
	if !fs.ValidPath(o.Name) || o.Name == "." || strings.Contains(o.Name, "/") {
		return fmt.Errorf("name %q of the disk: %w", o.Name, fs.ErrInvalid)
	}
	return checkTime(o.Time)
}

// ociArch gives Go's name of an architecture, which OCI uses.
func ociArch(rpm string) string {
	switch rpm {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	case "ppc64le", "s390x", "riscv64":
		return rpm
	}
	return ""
}

// unlinkedFile gives a file that is gone when it's closed, or this program dies.
func unlinkedFile(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "layer-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// writeLayout writes the archive with the layer's bytes from spool.
func writeLayout(ctx context.Context, w io.Writer, spool *os.File, layer ociLayer, o KubevirtOptions) error {
	documents, err := layoutFiles(layer, o)
	if err != nil {
		return err
	}
	var members []member
	for _, d := range documents {
		members = append(members, file(d.name, view.Bytes(d.content), o.Time))
	}
	content, err := view.NewFile(spool, []view.Extent{{Start: 0, End: layer.Size}})
	if err != nil {
		return err
	}
	im, err := archive(append(members, file(layer.blob(), content, o.Time))...)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(w, view.Reader(ctx, im), make([]byte, deflateChunk))
	return err
}
