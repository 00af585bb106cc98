package pack

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"sync"

	"github.com/klauspost/compress/flate"
)

const (
	deflateChunk = 1 << 20 // bytes; pgzip's and pigz's ways are the same, with 1 MiB and 128 KiB
	// deflateWindow is how far back a deflate stream refers (RFC 1951).
	deflateWindow = 32 << 10 // bytes
)

// deflate compresses r to one stream (RFC 1951). Each chunk knows the window before
// it, ends at a byte (Z_SYNC_FLUSH) and so follows the one before.
func deflate(ctx context.Context, w io.Writer, r io.Reader, level, workers int) error {
	if level < flate.BestSpeed || level > flate.BestCompression {
		return fmt.Errorf("level %d is not 1 to 9: %w", level, fs.ErrInvalid)
	}
	var free sync.Pool // of *flate.Writer, each about 1 MB
	err := inChunks(ctx, w, r, deflateChunk, workers, func(chunk, before []byte) ([]byte, error) {
		out := bytes.NewBuffer(make([]byte, 0, len(chunk)/2+tarBlock))
		window := before[max(0, len(before)-deflateWindow):]
		z, ok := free.Get().(*flate.Writer)
		if ok {
			z.ResetDict(out, window)
		} else {
			var err error
			if z, err = flate.NewWriterDict(out, level, window); err != nil {
				return nil, err
			}
		}
		defer free.Put(z)
		if _, err := z.Write(chunk); err != nil {
			return nil, err
		}
		err := z.Flush()
		return out.Bytes(), err
	})
	if err != nil {
		return err
	}
	_, err = w.Write([]byte{3, 0}) // the last block, empty, in the fixed code
	return err
}

// packGzip writes one member (RFC 1952) without name and time.
func packGzip(ctx context.Context, w io.Writer, r io.Reader, o CompressOptions) error {
	header := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255} // 8: deflate; 255: no certain system
	if _, err := w.Write(header); err != nil {
		return err
	}
	sum := crc32.NewIEEE()
	count := &counter{}
	r = io.TeeReader(r, io.MultiWriter(sum, count))
	if err := deflate(ctx, w, r, o.Level, o.Workers); err != nil {
		return err
	}
	trailer := binary.LittleEndian.AppendUint32(nil, sum.Sum32())
	trailer = binary.LittleEndian.AppendUint32(trailer, uint32(count.n)) // modulo 2^32, says the RFC
	_, err := w.Write(trailer)
	return err
}

// A counter counts what is written to it.
type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}
