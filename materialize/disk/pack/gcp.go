package pack

import (
	"context"
	"fmt"
	"io"
	"time"

	"cosafs/materialize/disk/view"
)

// gcpMember is the name that Compute Engine wants the disk to have in its archive.
const gcpMember = "disk.raw"

// GCPOptions are for [GCP].
type GCPOptions struct {
	Time    time.Time // of the member; not before 1970
	Level   int       // of gzip, 1 to 9; 0 is cosa's 6
	Workers int       // 0 is one a CPU
}

// GCP writes im as Compute Engine imports it: a gzip of [Tar] with disk.raw, as
// cosa's gcp artifact. Only im's data is read. meta.json also wants the size and
// sha256 of what is inside: they are those of Tar's image for the same name and time.
// Equal images give equal bytes, whatever Workers is.
func GCP(ctx context.Context, w io.Writer, im view.Image, o GCPOptions) error {
	archive, err := Tar(im, gcpMember, o.Time)
	if err != nil {
		return fmt.Errorf("gcp: %w", err)
	}
	return Compress(ctx, w, view.Reader(ctx, archive), "gz", CompressOptions{Level: o.Level, Workers: o.Workers})
}
