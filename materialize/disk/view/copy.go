package view

import (
	"context"
	"fmt"
	"io"
)

const (
	// fsBlock is the block size of ext4, xfs and btrfs as they are commonly made.
	fsBlock = 4096 // bytes
	// statBlock is the unit of st_blocks (stat(2)).
	statBlock = 512 // bytes
	// copyBuffer is what Copy reads at once.
	copyBuffer = 1 << 20 // bytes
)

// Blocks is st_blocks of a file with the same holes: units of 512 bytes, on a file
// system with blocks of 4 KiB.
func Blocks(im Image) int64 {
	blocks, end := int64(0), int64(0)
	for e, ok := im.Next(0); ok; e, ok = im.Next(e.End) {
		first := max(end, e.Start/fsBlock)
		end = ceilDiv(e.End, fsBlock)
		blocks += end - first
	}
	return blocks * (fsBlock / statBlock)
}

// Copy writes an image's data to where it lies in the image. Holes are not written, nor
// is the size set: w must read as zeros there, as a new file does after Truncate. It
// ends with the ctx's cause when ctx does.
func Copy(ctx context.Context, w io.WriterAt, im Image) error {
	buf := make([]byte, copyBuffer)
	for e, ok := im.Next(0); ok; e, ok = im.Next(e.End) {
		for off := e.Start; off < e.End; off += copyBuffer {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := copyRange(w, im, Extent{off, min(off+copyBuffer, e.End)}, buf); err != nil {
				return fmt.Errorf("copy image: %w", err)
			}
		}
	}
	return nil
}

// copyRange writes bytes of an image to where they lie in it, by way of the buffer.
func copyRange(w io.WriterAt, im Image, e Extent, buf []byte) error {
	for off := e.Start; off < e.End; off += int64(len(buf)) {
		p := buf[:min(int64(len(buf)), e.End-off)]
		if err := readPadded(im, p, off); err != nil {
			return err
		}
		if _, err := w.WriteAt(p, off); err != nil {
			return err
		}
	}
	return nil
}

// A reader reads an image from its start to its end.
type reader struct {
	ctx context.Context // of the reading as a whole; io.Reader has no place for it
	im  Image
	off int64
}

// Reader reads an image from start to end, holes as zeros that cost no read. It is for
// one goroutine. Once ctx ends it fails with the ctx's cause.
func Reader(ctx context.Context, im Image) io.Reader { return &reader{ctx: ctx, im: im} }

func (r *reader) Read(p []byte) (int, error) {
	left := r.im.Size() - r.off
	switch {
	case r.ctx.Err() != nil:
		return 0, context.Cause(r.ctx)
	case len(p) == 0:
		return 0, nil
	case left == 0:
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), left)]
	e, ok := r.im.Next(r.off)
	if !ok {
		e.Start = r.im.Size()
	}
	if hole := e.Start - r.off; hole > 0 {
		p = p[:min(int64(len(p)), hole)]
		clear(p)
	} else if err := readPadded(r.im, p, r.off); err != nil {
		return 0, err
	}
	r.off += int64(len(p))
	return len(p), nil
}
