package disk

import (
	"fmt"
	"io"

	"cosafs/materialize"
	"cosafs/materialize/disk/view"
	"cosafs/materialize/guest"
)

// Stamp makes the disk one for the platform, which Ignition knows by that id,
// with the platform's own kernel arguments. It writes the bytes of
// base.Platform and nothing else.
func Stamp(disk io.WriterAt, base materialize.BaseDisk, platform string, kargs ...string) error {
	pieces, err := stamp(base, platform, kargs...)
	if err != nil {
		return err
	}
	for _, p := range pieces {
		if _, err := disk.WriteAt(p.Data, p.Offset); err != nil {
			return fmt.Errorf("stamp platform %s: %w", platform, err)
		}
	}
	return nil
}

// stamp gives the bytes that make the disk one for the platform.
func stamp(base materialize.BaseDisk, platform string, kargs ...string) ([]view.Piece, error) {
	field, err := guest.PlatformField(platform, kargs...)
	if err != nil {
		return nil, err
	}
	var pieces []view.Piece
	for _, e := range base.Platform {
		if e.Length > int64(len(field)) {
			break
		}
		pieces = append(pieces, view.Piece{Offset: e.Offset, Data: field[:e.Length]})
		field = field[e.Length:]
	}
	if len(field) != 0 {
		return nil, fmt.Errorf("stamp platform %s: the extents %v don't hold %d bytes", platform, base.Platform, guest.FieldWidth)
	}
	return pieces, nil
}
