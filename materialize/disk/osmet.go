package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"cosafs/materialize"
	"cosafs/materialize/appliance"
	"cosafs/materialize/guest"
)

const (
	osmetOp = "pack osmet file"
	// osmetMore is how much larger than its disk an osmet file could be, in bytes.
	osmetMore = 64 * mib
	// osmetIdle is how long the program may compute without touching a disk: it checks all
	// that it has packed, under emulation with some ten megabytes a second.
	osmetIdle = 15 * time.Minute
)

// PackOsmet implements [materialize.LiveMaker]. The program is the tree's own, and reads
// the disk's file systems by the kernel's: so it runs in the virtual machine, as cosa has it.
func (w *Writer) PackOsmet(ctx context.Context, req materialize.OsmetRequest, t *materialize.Task) error {
	image, err := parseSettings(req.ImageJSON)
	if err != nil {
		return err
	}
	st, err := os.Stat(req.Disk)
	if err != nil {
		return fmt.Errorf("%s: %w", osmetOp, err)
	}
	a, err := w.appliance(ctx, t)
	if err != nil {
		return err
	}
	if err := create(req.Out, st.Size()+osmetMore, func(*os.File) error { return nil }); err != nil {
		return materialize.FailFull(osmetOp, err)
	}
	var packed guest.Packed
	err = w.inVM(ctx, a, appliance.Run{
		Job:  guest.Job{Osmet: &guest.Osmet{Root: image.Root, SHA256: req.SHA256, Time: req.Time}},
		Idle: max(w.cfg.Idle, osmetIdle),
		Disks: []appliance.Disk{
			{Serial: guest.SourceDisk, Path: req.Disk, ReadOnly: true, Sector: req.Sector},
			{Serial: guest.TargetDisk, Path: req.Out},
		},
	}, t, &packed)
	if err == nil && packed.Size == 0 {
		err = fmt.Errorf("%s: it is empty: %w", osmetOp, fs.ErrInvalid)
	}
	if err == nil {
		err = os.Truncate(req.Out, packed.Size)
	}
	if err != nil {
		return errors.Join(err, os.Remove(req.Out))
	}
	return nil
}
