package view

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Clone makes dst, which is empty, a file with an image's bytes that takes no disk beside
// what is computed: it shares the blocks of the files that the image's bytes lie in, as
// xfs and btrfs can (ioctl_ficlonerange(2)). Where the file system can't the error is
// [errors.ErrUnsupported], and dst is of no use.
func Clone(dst *os.File, im Image) error {
	if err := dst.Truncate(im.Size()); err != nil {
		return err
	}
	buf := make([]byte, copyBuffer)
	for e, ok := im.Next(0); ok; e, ok = im.Next(e.End) {
		for off := e.Start; off < e.End; {
			r := RunAt(im, off).until(e.End)
			if err := cloneRun(dst, im, r, buf); err != nil {
				return fmt.Errorf("share blocks from %d to %d: %w", r.Start, r.End, err)
			}
			off = r.End
		}
	}
	return nil
}

// cloneRun shares a run's whole blocks and copies the rest.
func cloneRun(dst *os.File, im Image, r Run, buf []byte) error {
	start, end := ceilDiv(r.Start, fsBlock)*fsBlock, r.End/fsBlock*fsBlock
	if r.File == nil || (r.At-r.Start)%fsBlock != 0 || start >= end {
		return copyRange(dst, im, r.Extent, buf)
	}
	err := unix.IoctlFileCloneRange(int(dst.Fd()), &unix.FileCloneRange{
		Src_fd: int64(r.File.Fd()), Src_offset: uint64(r.At + start - r.Start), Src_length: uint64(end - start), Dest_offset: uint64(start),
	})
	switch {
	case errors.Is(err, unix.EXDEV), errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOTTY):
		return fmt.Errorf("%w: %w", err, errors.ErrUnsupported)
	case err != nil:
		return err
	}
	return errors.Join(copyRange(dst, im, Extent{r.Start, start}, buf), copyRange(dst, im, Extent{end, r.End}, buf))
}
