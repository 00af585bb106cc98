package offline

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"cosafs/materialize"
	"cosafs/materialize/disk/install"
)

// block is the size that all ext4 here have.
const block = 4096 // bytes

// locate gives the ranges of the disk that hold the field of a file in a partition.
func (w *writer) locate(ctx context.Context, p install.Place, field install.Field) ([]materialize.Extent, error) {
	out, err := w.Output(ctx, "debugfs", "-R", "blocks \"/"+field.Path+"\"", p.E2fs())
	if err != nil {
		return nil, err
	}
	var found []materialize.Extent
	for logical, text := range strings.Fields(string(out)) {
		physical, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("debugfs: blocks of %s: %w", field.Path, err)
		}
		start := int64(logical) * block
		from, to := max(start, field.Offset), min(start+block, field.Offset+field.Length)
		if from < to {
			found = append(found, materialize.Extent{Offset: p.Start + physical*block + from - start, Length: to - from})
		}
	}
	return found, nil
}
