package disk

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"cosafs/materialize"
	"cosafs/materialize/disk/view"
)

// View implements [materialize.DiskWriter]. It reads the disk's outline: its
// partition tables, and where it has data.
func (w *Writer) View(base materialize.BaseDisk, kind string, imageJSON []byte) (materialize.View, error) {
	return open(base, kind, imageJSON)
}

// opened is a view with the file of its base disk.
type opened struct {
	view.Image
	io.Closer
}

func open(base materialize.BaseDisk, kind string, imageJSON []byte) (opened, error) {
	p, ok := platforms()[kind]
	if !ok {
		return opened{}, fmt.Errorf("%s: %s: %w", makeOp, kind, materialize.ErrNotMakeable)
	}
	f, err := view.Open(base.Path)
	if err != nil {
		return opened{}, fmt.Errorf("%s: %w", makeOp, err)
	}
	image, err := p.image(f, base, cmp.Or(p.id, kind), imageJSON)
	if err != nil {
		return opened{}, errors.Join(err, f.Close())
	}
	return opened{image, f}, nil
}

// image gives the platform's file of the disk.
func (p platform) image(disk view.Image, base materialize.BaseDisk, id string, imageJSON []byte) (view.Image, error) {
	pieces, err := stamp(base, id)
	if err != nil {
		return nil, err
	}
	disk = view.Patch(disk, pieces...)
	if p.plain {
		return disk, nil
	}
	settings, err := parseSettings(imageJSON)
	if err != nil {
		return nil, err
	}
	settings.Size = cmp.Or(p.size, settings.Size)
	if err := fits(base.Size, settings); err != nil {
		return nil, err
	}
	disk, err = view.GrowGPT(disk, settings.Size*gib, 512)
	if err != nil {
		return nil, fmt.Errorf("%s: grow the disk to %d GiB: %w", makeOp, settings.Size, err)
	}
	return p.framed(disk)
}

// framed gives the disk the platform's frame.
func (p platform) framed(disk view.Image) (view.Image, error) {
	switch p.frame {
	case qcow2:
		return view.QCOW2(disk, disk.Size())
	case vhd:
		seed, err := seedOf(disk)
		if err != nil {
			return nil, err
		}
		return view.VHD(disk, view.VHDOptions{Seed: seed})
	}
	return disk, nil
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
