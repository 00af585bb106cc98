package pack

import (
	"fmt"
	"io"
	"io/fs"
	"time"

	"cosafs/materialize/disk/view"
)

const (
	// tarBlock is what headers are and members are padded to (tar(5)).
	tarBlock = 512 // bytes
	// tarRecord is what GNU tar pads an archive to: 20 blocks.
	tarRecord = 20 * tarBlock
	// sparseUnit is what holes begin and end at. It's the block of common file
	// systems, so the map is the one that GNU tar finds in a file.
	sparseUnit = 4096 // bytes
)

// Tar shows an archive with im as its only member, in the old GNU sparse format:
// the bytes that `tar -Sch --format=oldgnu` writes for a sparse file of root with
// mode 0644. The member holds im's data alone. A name that is empty or longer than
// 100 bytes and a time before 1970 are fs.ErrInvalid.
func Tar(im view.Image, name string, modified time.Time) (view.Image, error) {
	regions := sparseMap(im)
	header, err := sparseHeader(name, modified, im.Size(), regions)
	if err != nil {
		return nil, fmt.Errorf("tar %q: %w", name, err)
	}
	parts := []view.Image{view.Bytes(header)}
	size := int64(len(header))
	for _, r := range regions {
		parts = append(parts, part{im, r})
		size += r.End - r.Start
	}
	end := roundUp(size, tarBlock) + 2*tarBlock // two empty blocks end an archive
	return view.Grow(view.Concat(parts...), roundUp(end, tarRecord)), nil
}

// sparseMap gives the regions that the member holds: whole units, apart from the
// last, and an empty one at the end of the image, which GNU tar always adds.
func sparseMap(im view.Image) []view.Extent {
	var regions []view.Extent
	for e, ok := im.Next(0); ok; e, ok = im.Next(e.End) {
		e.Start -= e.Start % sparseUnit
		e.End = min(roundUp(e.End, sparseUnit), im.Size())
		if n := len(regions); n > 0 && e.Start <= regions[n-1].End {
			regions[n-1].End = max(e.End, regions[n-1].End)
			continue
		}
		regions = append(regions, e)
	}
	return append(regions, view.Extent{Start: im.Size(), End: im.Size()})
}

func roundUp(n, unit int64) int64 { return (n + unit - 1) / unit * unit }

// A part shows a range of an image.
type part struct {
	im view.Image
	view.Extent
}

var _ view.Image = part{}

func (p part) Size() int64 { return p.End - p.Start }

func (p part) ReadAt(b []byte, off int64) (int, error) {
	return io.NewSectionReader(p.im, p.Start, p.Size()).ReadAt(b, off)
}

func (p part) Next(off int64) (view.Extent, bool) {
	e, ok := p.im.Next(p.Start + off)
	if !ok || e.Start >= p.End {
		return view.Extent{}, false
	}
	return view.Extent{Start: e.Start - p.Start, End: min(e.End, p.End) - p.Start}, true
}

// checkMember refuses what a header can't tell.
func checkMember(name string, modified time.Time) error {
	if name == "" || len(name) > nameField.size {
		return fmt.Errorf("a name has 1 to %d bytes: %w", nameField.size, fs.ErrInvalid)
	}
	return checkTime(modified)
}

func checkTime(modified time.Time) error {
	if modified.Unix() < 0 {
		return fmt.Errorf("time %v is before 1970: %w", modified, fs.ErrInvalid)
	}
	return nil
}
