package disk

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"sync"

	"cosafs/materialize"
	"cosafs/materialize/disk/view"
)

// View implements [materialize.DiskWriter]. It reads the disk's outline: its
// partition tables, and where it has data.
func (w *Writer) View(req materialize.ImageRequest) (materialize.View, error) {
	p, err := platformOf(req.Kind)
	if err == nil && p.code != nil {
		err = fmt.Errorf("%s: %s can't be computed as it is read: %w", makeOp, req.Kind, materialize.ErrNotMakeable)
	}
	if err != nil {
		return nil, err
	}
	o, err := p.open(req)
	if err != nil {
		return nil, err
	}
	o.clone = func() *os.File { return w.cloner.open(w.clonePath(req), o.Image) }
	return o, nil
}

// Disk implements [materialize.DiskWriter]. What it gives is a [view.Image].
func (w *Writer) Disk(req materialize.ImageRequest) (materialize.View, error) {
	p, err := platformOf(req.Kind)
	if err != nil {
		return nil, err
	}
	p.frame = nil
	o, err := p.open(req)
	if err != nil {
		return nil, err
	}
	return o, nil
}

func platformOf(kind string) (platform, error) {
	p, ok := platforms()[kind]
	if !ok {
		return p, fmt.Errorf("%s: %s: %w", makeOp, kind, materialize.ErrNotMakeable)
	}
	p.id = cmp.Or(p.id, kind)
	return p, nil
}

// opened is a view with the file of its base disk.
type opened struct {
	view.Image
	base   *view.File
	clone  func() *os.File // nil: nobody asks for a file
	once   sync.Once
	cloned *os.File // set by once; nil if there is none
}

// Close implements [materialize.View].
func (o *opened) Close() error {
	o.once.Do(func() {})
	if o.cloned == nil {
		return o.base.Close()
	}
	return errors.Join(o.cloned.Close(), o.base.Close())
}

// LocalFile implements [materialize.View].
func (o *opened) LocalFile() (*os.File, bool) {
	o.once.Do(func() {
		if o.clone != nil {
			o.cloned = o.clone()
		}
	})
	return o.cloned, o.cloned != nil
}

// Source implements [materialize.View].
func (o *opened) Source(off, n int64) (f *os.File, at int64, ok bool) {
	return view.Source(o.Image, off, n)
}

// Blocks implements [materialize.View].
func (o *opened) Blocks() int64 { return view.Blocks(o.Image) }

// Data implements [materialize.View].
func (o *opened) Data(off int64) (materialize.Extent, bool) {
	e, ok := o.Next(off)
	return materialize.Extent{Offset: e.Start, Length: e.End - e.Start}, ok
}

// open gives the platform's disk in its frame.
func (p platform) open(req materialize.ImageRequest) (*opened, error) {
	f, err := openBase(req.Base)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", makeOp, err)
	}
	disk, err := p.disk(f, req)
	if err == nil && p.frame != nil {
		disk, err = p.frame(disk)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &opened{Image: disk, base: f}, nil
}

// disk gives the platform's raw disk.
func (p platform) disk(base view.Image, req materialize.ImageRequest) (view.Image, error) {
	pieces, err := stamp(req.Base, p.id, req.PlatformsJSON)
	if err != nil {
		return nil, err
	}
	disk := view.Patch(base, pieces...)
	if p.plain {
		return disk, nil
	}
	settings, err := parseSettings(req.ImageJSON)
	if err != nil {
		return nil, err
	}
	settings.Size = cmp.Or(p.size, settings.Size)
	if err := fits(req.Base.Size, settings); err != nil {
		return nil, err
	}
	disk, err = view.GrowGPT(disk, settings.Size*gib, 512)
	if err != nil {
		return nil, fmt.Errorf("%s: grow the disk to %d GiB: %w", makeOp, settings.Size, err)
	}
	return disk, nil
}

// qcow2 is version 3, without compression, as `qemu-img convert -O qcow2` makes it.
func qcow2(disk view.Image) (view.Image, error) { return view.QCOW2(disk, disk.Size()) }

// vhd is a fixed one, as qemu-img's force_size makes it.
func vhd(disk view.Image) (view.Image, error) {
	seed, err := seedOf(disk)
	if err != nil {
		return nil, err
	}
	return view.VHD(disk, view.VHDOptions{Seed: seed})
}

// seedOf tells the disk from others: by its partition table, whose GUIDs follow
// from the commit.
func seedOf(disk view.Image) (string, error) {
	table := make([]byte, 34*512)
	if _, err := disk.ReadAt(table, 0); err != nil {
		return "", fmt.Errorf("%s: read the partition table: %w", makeOp, err)
	}
	sum := sha256.Sum256(table)
	return hex.EncodeToString(sum[:]), nil
}
