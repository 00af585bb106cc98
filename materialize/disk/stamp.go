package disk

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"

	"cosafs/materialize"
	"cosafs/materialize/guest"
)

// Stamp makes the disk one for the platform, which Ignition knows by that id,
// with the platform's own kernel arguments. It writes the bytes of
// base.Platform and nothing else.
func Stamp(disk io.WriterAt, base materialize.BaseDisk, platform string, kargs ...string) error {
	field, err := guest.PlatformField(platform, kargs...)
	if err != nil {
		return err
	}
	for _, e := range base.Platform {
		if e.Length > int64(len(field)) {
			break
		}
		if _, err := disk.WriteAt(field[:e.Length], e.Offset); err != nil {
			return fmt.Errorf("stamp platform %s: %w", platform, err)
		}
		field = field[e.Length:]
	}
	if len(field) != 0 {
		return fmt.Errorf("stamp platform %s: the extents %v don't hold %d bytes", platform, base.Platform, guest.FieldWidth)
	}
	return nil
}

// stampFile stamps the disk in a file.
func stampFile(path string, base materialize.BaseDisk, platform string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", makeOp, err)
	}
	err = Stamp(f, base, platform)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return failure(makeOp, err)
	}
	return nil
}

// framed says where in a qcow2 file the extents of its disk lie, so that they
// can be written without another program.
func framed(ctx context.Context, t *materialize.Task, path string, extents []materialize.Extent) ([]materialize.Extent, error) {
	var found []materialize.Extent
	for _, e := range extents {
		b, err := output(ctx, t, makeOp, "qemu-img", "map", "-f", "qcow2", "--output=json",
			"--start-offset="+strconv.FormatInt(e.Offset, 10), "--max-length="+strconv.FormatInt(e.Length, 10), path)
		if err != nil {
			return nil, err
		}
		var pieces []struct {
			Length int64  `json:"length"`
			Offset *int64 `json:"offset"` // in the file; nil = not there as it is
		}
		if err := json.Unmarshal(b, &pieces); err != nil {
			return nil, fmt.Errorf("%s: qemu-img map: %w", makeOp, err)
		}
		for _, p := range pieces {
			if p.Offset == nil {
				return nil, fmt.Errorf("%s: %s: no plain bytes at %v", makeOp, path, e)
			}
			found = append(found, materialize.Extent{Offset: *p.Offset, Length: p.Length})
		}
	}
	return found, nil
}
