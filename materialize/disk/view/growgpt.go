package view

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
)

// GrowGPT shows a disk with a GUID partition table, grown to size bytes: the backup
// table is at its end, and the primary header and the protective MBR know the new size.
// It is what truncate and then sgdisk -e (gptfdisk 1.0) make of the disk, to the byte;
// so the old backup's bytes stay where they are, in what is free space now, and of the
// MBR only the boot code is kept. sector is the size of the disk's sectors, 512 or 4096
// bytes; size needn't be a multiple of it.
//
// The tables are read and checked at once. The error is [fs.ErrInvalid] if they are
// damaged, or size is smaller than base.
func GrowGPT(base Image, size int64, sector int) (Image, error) {
	im, err := growGPT(base, size, int64(sector))
	if err != nil {
		return nil, fmt.Errorf("grow the disk to %d bytes: %w", size, err)
	}
	return im, nil
}

func growGPT(base Image, size, sector int64) (Image, error) {
	if sector != 512 && sector != 4096 {
		return nil, damaged("sectors of %d bytes: must be 512 or 4096", sector)
	}
	if size < base.Size() {
		return nil, damaged("the disk has %d already", base.Size())
	}
	g, err := readGPT(base, sector)
	if err != nil {
		return nil, err
	}
	mbr, err := readProtectiveMBR(base)
	if err != nil {
		return nil, err
	}
	sectors := size / sector
	// sgdisk leaves as much room at the end as there is at the start.
	last := sectors - g.firstUsable
	if max(g.lastUsed, g.firstUsable-1) > last {
		return nil, damaged("no room for the backup GPT: the last usable sector were %d, partitions end at %d", last, g.lastUsed)
	}
	pieces := g.moved(sectors, last)
	if last != g.lastUsable { // else sgdisk leaves the MBR as it is
		pieces = append(pieces, Piece{0, growMBR(mbr, sectors)})
	}
	return Patch(Grow(base, size), pieces...), nil
}

// moved is the partition table of a disk that has got another number of sectors, and
// another last usable one.
func (g *gpt) moved(sectors, last int64) []Piece {
	backup := sectors - 1
	return []Piece{
		{g.sector, g.headerAt(1, backup, last, int64(binary.LittleEndian.Uint64(g.header[72:])))},
		{(last + 1) * g.sector, g.table},
		{backup * g.sector, g.headerAt(backup, 1, last, last+1)},
	}
}

// headerAt makes the header's sector for another place.
func (g *gpt) headerAt(self, alternate, last, table int64) []byte {
	le, h := binary.LittleEndian, bytes.Clone(g.header)
	le.PutUint64(h[24:], uint64(self))
	le.PutUint64(h[32:], uint64(alternate))
	le.PutUint64(h[48:], uint64(last))
	le.PutUint64(h[72:], uint64(table))
	le.PutUint32(h[16:], gptHeaderCRC(h))
	return h
}

const (
	mbrSize     = 512
	mbrBootCode = 440 // bytes; a disk signature follows, which a GPT disk doesn't need
	mbrEntry    = 446 // offset of the first of four entries, 16 bytes each
)

// readProtectiveMBR reads an MBR with one entry only, that which keeps old tools from
// a GPT disk (UEFI specification 2.10, section 5.2.3).
func readProtectiveMBR(disk Image) ([]byte, error) {
	mbr := make([]byte, mbrSize)
	if err := readPadded(disk, mbr, 0); err != nil {
		return nil, err
	}
	entry := mbr[mbrEntry:]
	if entry[4] != 0xee || binary.LittleEndian.Uint32(entry[8:]) != 1 ||
		!bytes.Equal(entry[16:64], make([]byte, 48)) || entry[64] != 0x55 || entry[65] != 0xaa {
		return nil, damaged("sector 0 isn't a protective MBR")
	}
	return mbr, nil
}

// growMBR makes a protective MBR for a disk of that many sectors.
func growMBR(mbr []byte, sectors int64) []byte {
	grown := make([]byte, mbrSize)
	copy(grown, mbr[:mbrBootCode])
	entry := grown[mbrEntry:]
	copy(entry[1:], []byte{0, 2, 0, 0xee}) // CHS of sector 1, type
	copy(entry[5:], chs(sectors-1))
	binary.LittleEndian.PutUint32(entry[8:], 1)
	length := uint32(math.MaxUint32)
	if sectors < math.MaxUint32 { // sgdisk says "more" one sector early
		length = uint32(sectors - 1)
	}
	binary.LittleEndian.PutUint32(entry[12:], length)
	entry[64], entry[65] = 0x55, 0xaa
	return grown
}

// chs is a sector's cylinder, head and sector as an MBR has them, with the geometry
// that all use: 255 heads, 63 sectors. A sector out of their reach is all ones.
func chs(lba int64) []byte {
	const heads, perTrack = 255, 63
	cylinder, head, sector := lba/(heads*perTrack), lba/perTrack%heads, lba%perTrack+1
	if cylinder > 1023 {
		return []byte{0xff, 0xff, 0xff}
	}
	return []byte{byte(head), byte(sector | cylinder>>8<<6), byte(cylinder)}
}
