package guest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"cosafs/materialize"
	"cosafs/materialize/disk/install"
)

// The FIEMAP ioctl, linux/fiemap.h: where a file's bytes lie on its device.
const (
	fsIOCFiemap = 0xc020660b
	fiemapSync  = 1 // write the file first, so that it has a place
	// Extents whose bytes are not simply at the given place: unknown, delayed,
	// encoded, encrypted, not aligned, inline, tail, unwritten.
	fiemapOdd = 0x2 | 0x4 | 0x8 | 0x80 | 0x100 | 0x200 | 0x400 | 0x800
)

type fiemapExtent struct {
	Logical, Physical, Length uint64
	_                         [2]uint64
	Flags                     uint32
	_                         [3]uint32
}

type fiemap struct {
	Start, Length                uint64
	Flags, Mapped, Count, unused uint32
	Extents                      [8]fiemapExtent
}

var errOddExtent = errors.New("file has no plain place on its disk")

// locate gives the ranges of the disk that hold the field of a file on the disk's
// partition.
func locate(field install.Field, disk string, partition int) ([]materialize.Extent, error) {
	f, err := os.Open(field.Path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read only
	start, err := sectors(filepath.Join("/sys/block", disk, disk+strconv.Itoa(partition), "start"))
	if err != nil {
		return nil, err
	}
	m := fiemap{Start: uint64(field.Offset), Length: uint64(field.Length), Flags: fiemapSync}
	m.Count = uint32(len(m.Extents))
	//nolint:gosec // the ioctl takes a pointer
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), fsIOCFiemap, uintptr(unsafe.Pointer(&m)))
	if errno != 0 {
		return nil, &os.PathError{Op: "fiemap", Path: field.Path, Err: errno}
	}
	found, err := pick(m.Extents[:min(m.Mapped, m.Count)], field.Offset, field.Length, start)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field.Path, err)
	}
	return found, nil
}

// pick cuts the extents, which cover whole blocks, down to the wanted range and
// moves them by the partition's start.
func pick(extents []fiemapExtent, at, length, start int64) ([]materialize.Extent, error) {
	var found []materialize.Extent
	for _, e := range extents {
		from := max(at, int64(e.Logical))
		to := min(at+length, int64(e.Logical+e.Length))
		if from >= to {
			continue
		}
		if e.Flags&fiemapOdd != 0 || from != at {
			return nil, errOddExtent
		}
		found = append(found, materialize.Extent{Offset: start + int64(e.Physical) + from - int64(e.Logical), Length: to - from})
		at, length = to, length-(to-from)
	}
	if length != 0 {
		return nil, errOddExtent
	}
	return found, nil
}

// sectors reads a number of sectors, a file of the kernel, and gives bytes. The kernel
// counts in 512 bytes whatever the disk's sectors are.
func sectors(path string) (int64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	return n * 512, err
}
