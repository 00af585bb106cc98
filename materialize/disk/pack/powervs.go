package pack

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"cosafs/materialize/disk/view"
)

const powerVSOp = "make powervs"

// PowerVSOptions are for [PowerVS] and [PowerVSTar].
type PowerVSOptions struct {
	Name    string    // the build's name, such as rhcos
	Version string    // the build's ostree-version
	Summary string    // the build's summary
	Time    time.Time // of the members; not before 1970
	Level   int       // of gzip, 1 to 9; 0 is 6
	Workers int       // 0 is one a CPU
}

// PowerVS writes what cosa's powervs artifact is (.ova.gz): a gzip of [PowerVSTar].
// meta.json also wants the size and sha256 of what is inside: those of that image.
// Equal disks and options give equal bytes, whatever Workers is.
func PowerVS(ctx context.Context, w io.Writer, disk view.Image, o PowerVSOptions) error {
	inside, err := PowerVSTar(disk, o)
	if err != nil {
		return err
	}
	return Compress(ctx, w, view.Reader(ctx, inside), "gz", CompressOptions{Level: o.Level, Workers: o.Workers})
}

// PowerVSTar shows a tar with coreos.ovf and the raw disk <Name>-<Version>-disk.raw, in
// cosa's order. A Name or Version that's empty or has a slash, and a time before 1970,
// are fs.ErrInvalid.
func PowerVSTar(disk view.Image, o PowerVSOptions) (view.Image, error) {
	for _, s := range []string{o.Name, o.Version} {
		if s == "" || strings.Contains(s, "/") {
			return nil, fmt.Errorf("%s: name %q, version %q: %w", powerVSOp, o.Name, o.Version, fs.ErrInvalid)
		}
	}
	if err := checkTime(o.Time); err != nil {
		return nil, fmt.Errorf("%s: %w", powerVSOp, err)
	}
	ovf, err := powerVSOVF(disk.Size(), o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", powerVSOp, err)
	}
	im, err := archive(file("coreos.ovf", view.Bytes(ovf), o.Time), file(o.diskName(), disk, o.Time))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", powerVSOp, err)
	}
	return im, nil
}

func (o PowerVSOptions) imageName() string { return o.Name + "-" + o.Version }

func (o PowerVSOptions) diskName() string { return o.imageName() + "-disk.raw" }
