package pack

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"strconv"

	"cosafs/materialize"
)

// packXz has xz compress as cosa does (`xz -c9 -T<n>`): no Go library does so well
// in parallel. With at least two threads blocks are cut in the same places whatever
// their number; with one xz writes a single block.
func packXz(ctx context.Context, w io.Writer, r io.Reader, o CompressOptions) error {
	if o.Level < 1 || o.Level > 9 {
		return fmt.Errorf("level %d is not 1 to 9: %w", o.Level, fs.ErrInvalid)
	}
	return materialize.Tool{
		Op: compressOp, Name: "xz",
		In: r, Out: w, Env: []string{"XZ_OPT=", "XZ_DEFAULTS="}, // a user's settings change the output
	}.Run(ctx, o.Task, "-c", "-"+strconv.Itoa(o.Level), "-T"+strconv.Itoa(max(2, o.Workers)))
}
