package disk

import (
	"fmt"
	"io"

	"cosafs/materialize"
	"cosafs/materialize/disk/install"
	"cosafs/materialize/disk/view"
)

// Stamp makes the disk one for the platform, which Ignition knows by that id,
// with what platforms.json says of it: its own kernel arguments in the boot
// entry, and its console settings in grub.cfg. It writes the bytes of
// base.Platform and base.Console and nothing else. Settings that are too long
// for them are a Failure of ClassConfig.
func Stamp(disk io.WriterAt, base materialize.BaseDisk, id string, platformsJSON []byte) error {
	pieces, err := stamp(base, id, platformsJSON)
	if err != nil {
		return err
	}
	for _, p := range pieces {
		if _, err := disk.WriteAt(p.Data, p.Offset); err != nil {
			return fmt.Errorf("stamp platform %s: %w", id, err)
		}
	}
	return nil
}

// stamp gives the bytes that make the disk one for the platform.
func stamp(base materialize.BaseDisk, id string, platformsJSON []byte) ([]view.Piece, error) {
	table, err := parsePlatforms(platformsJSON)
	if err != nil {
		return nil, err
	}
	entry, console, err := table[id].fields(id)
	if err != nil {
		return nil, err
	}
	pieces, err := cut(entry, base.Platform)
	if err != nil || len(base.Console) == 0 && len(table[id].GRUB) == 0 {
		return pieces, err
	}
	more, err := cut(console, base.Console)
	return append(pieces, more...), err
}

// fields gives the padded fields of a platform's disk.
func (s platformSettings) fields(id string) (entry, console []byte, err error) {
	entry, err = install.PlatformField(id, s.Kargs...)
	if err == nil {
		console, err = install.ConsoleField(s.GRUB...)
	}
	if err != nil {
		return nil, nil, badPlatforms(fmt.Errorf("%s: %w", id, err))
	}
	return entry, console, nil
}

// cut gives a field in the pieces that lie at the extents.
func cut(field []byte, extents []materialize.Extent) ([]view.Piece, error) {
	var pieces []view.Piece
	rest := field
	for _, e := range extents {
		if e.Length > int64(len(rest)) {
			break
		}
		pieces = append(pieces, view.Piece{Offset: e.Offset, Data: rest[:e.Length]})
		rest = rest[e.Length:]
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("stamp platform: the extents %v don't hold %d bytes", extents, len(field))
	}
	return pieces, nil
}
