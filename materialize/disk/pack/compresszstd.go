package pack

import (
	"context"
	"fmt"
	"io"
	"io/fs"

	"github.com/klauspost/compress/zstd"
)

// zstdFrame is what one frame holds: twice the window of the highest level, so that
// little is lost between frames.
const zstdFrame = 16 << 20 // bytes

// packZstd writes frames of their own, one after the other, which is what RFC 8878
// calls a file of several frames: every decoder reads it as one.
func packZstd(ctx context.Context, w io.Writer, r io.Reader, o CompressOptions) error {
	if o.Level < 1 || o.Level > 22 {
		return fmt.Errorf("level %d is not 1 to 22: %w", o.Level, fs.ErrInvalid)
	}
	z, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(o.Level)),
		zstd.WithEncoderConcurrency(o.Workers),
		zstd.WithZeroFrames(true)) // an empty file is a frame too
	if err != nil {
		return err
	}
	return inChunks(ctx, w, r, zstdFrame, o.Workers, func(chunk, _ []byte) ([]byte, error) {
		return z.EncodeAll(chunk, nil), nil
	})
}
