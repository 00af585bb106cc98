package view

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

const (
	vhdFooter = 512     // bytes
	vhdUnit   = 1 << 20 // Azure takes disks of whole MiB only
	// vhdMax is the format's limit, 2040 GiB: VHD_MAX_SECTORS of qemu's block/vpc.c.
	vhdMax = 0xff000000 * 512
	// vhdEpoch is when time begins in VHDs, 2000-01-01 UTC, in Unix time.
	vhdEpoch = 946684800
)

// VHDOptions tell what a VHD is beside its bytes.
type VHDOptions struct {
	// Size is the disk's in bytes, zeros after the base's end. 0 is the base's size.
	// It is rounded up to whole MiB, as Azure demands.
	Size int64
	// Seed is what the disk's UUID is derived from: the same seed, the same UUID.
	Seed string
	// Time is when the disk was made, to the second. Times that the format doesn't
	// have (before 2000 and after 2136, so also the zero time) become the nearest.
	Time time.Time
}

// A vhd is a disk with a footer after it.
type vhd struct {
	sections
	disk     Image
	diskSize int64
}

// VHD shows a disk as a fixed VHD: its bytes, then a footer of 512. The footer is
// that of qemu-img convert -O vpc -o subformat=fixed,force_size. The error is
// [fs.ErrInvalid] if base is larger than o.Size, or the disk larger than the format
// allows (2040 GiB).
func VHD(base Image, o VHDOptions) (Image, error) {
	if o.Size == 0 {
		o.Size = base.Size()
	}
	size, err := diskSize(base, o.Size, vhdUnit, vhdMax)
	if err != nil {
		return nil, fmt.Errorf("VHD view: %w", err)
	}
	v := &vhd{disk: base, diskSize: size}
	v.show(size, base)
	footer := newVHDFooter(size, o)
	v.add(vhdFooter, func(p []byte, off int64) error { copy(p, footer[off:]); return nil })
	return v, nil
}

// Next gives the disk's extents, then the footer.
func (v *vhd) Next(off int64) (Extent, bool) {
	e, ok := v.disk.Next(off)
	if !ok {
		e = Extent{max(off, v.diskSize), v.Size()}
	} else if e.End == v.diskSize {
		e.End = v.Size() // what adjoins is one extent
	}
	return e, off < v.Size()
}

// newVHDFooter makes a footer as create_fixed_disk and vpc_create of qemu's
// block/vpc.c do; the fields are those of Microsoft's "Virtual Hard Disk Image
// Format Specification".
func newVHDFooter(diskSize int64, o VHDOptions) [vhdFooter]byte {
	var f [vhdFooter]byte
	be := binary.BigEndian
	copy(f[0:], "conectix")
	be.PutUint32(f[8:], 2)               // features: a bit that is always set
	be.PutUint32(f[12:], 0x1_0000)       // format version 1.0
	be.PutUint64(f[16:], math.MaxUint64) // no dynamic header
	be.PutUint32(f[24:], vhdTime(o.Time))
	copy(f[28:], "qem2")           // qemu with force_size: the size counts, not the geometry
	be.PutUint32(f[32:], 0x5_0003) // qemu's version as a creator
	copy(f[36:], "Wi2k")           // creator's system
	be.PutUint64(f[40:], uint64(diskSize))
	be.PutUint64(f[48:], uint64(diskSize))
	be.PutUint16(f[56:], 65535) // cylinders: with heads and sectors the largest geometry
	f[58], f[59] = 16, 255
	be.PutUint32(f[60:], 2) // a fixed disk
	uuid := vhdUUID(o.Seed)
	copy(f[68:], uuid[:])
	be.PutUint32(f[64:], vhdChecksum(f[:]))
	return f
}

// vhdTime is a time in seconds since 2000.
func vhdTime(t time.Time) uint32 {
	return uint32(min(max(0, t.Unix()-vhdEpoch), math.MaxUint32))
}

// vhdUUID makes a UUID from a hash: version 8 of RFC 9562, section 5.8.
func vhdUUID(seed string) [16]byte {
	sum := sha256.Sum256([]byte("cosafs VHD " + seed))
	uuid := [16]byte(sum[:16])
	uuid[6] = uuid[6]&0x0f | 0x80
	uuid[8] = uuid[8]&0x3f | 0x80
	return uuid
}

// vhdChecksum is the complement of the sum of a footer's bytes, of which those of
// the checksum are zero.
func vhdChecksum(footer []byte) uint32 {
	sum := uint32(0)
	for _, b := range footer {
		sum += uint32(b)
	}
	return ^sum
}
