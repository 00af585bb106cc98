package aws

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"

	"cosafs/materialize/disk/view"
)

const (
	// blockSize is the size of a snapshot's blocks, fixed by the EBS direct API.
	blockSize = 512 << 10 // bytes
	// gib is the unit of volume sizes.
	gib = 1 << 30 // bytes
)

// volumeSize is the size in GiB of the volume that a disk needs.
func volumeSize(size int64) int64 { return max(1, (size+gib-1)/gib) }

// blocks gives the indices of the blocks that hold any data, in order, to do. It
// ends with do's error.
func blocks(im view.Image, do func(index int32) error) error {
	next := int64(0)
	for e, ok := im.Next(0); ok; e, ok = im.Next(next * blockSize) {
		next = max(next, e.Start/blockSize)
		for ; next*blockSize < e.End; next++ {
			if next > math.MaxInt32 {
				return fmt.Errorf("block %d of the disk: EBS has no volumes of that size", next)
			}
			if err := do(int32(next)); err != nil {
				return err
			}
		}
	}
	return nil
}

// digests gives those of the blocks that hold anything but zeros, which is what a
// snapshot of the disk is made of. Extents may hold zeros.
func digests(ctx context.Context, im view.Image) (map[int32]digest, error) {
	sums := map[int32]digest{}
	err := blocks(im, func(index int32) error {
		p, err := readBlock(ctx, im, index)
		if err == nil && !zero(p) {
			sums[index] = sha256.Sum256(p)
		}
		return err
	})
	return sums, err
}

// readBlock reads one block; past the disk's end it is zeros.
func readBlock(ctx context.Context, im view.Image, index int32) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	p := make([]byte, blockSize)
	off := int64(index) * blockSize
	want := min(blockSize, im.Size()-off)
	n, err := im.ReadAt(p[:want], off)
	if int64(n) == want && errors.Is(err, io.EOF) {
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the disk at %d: %w", off, err)
	}
	return p, nil
}

// zero says whether a block holds zeros only.
func zero(p []byte) bool { return bytes.Count(p, []byte{0}) == len(p) }
