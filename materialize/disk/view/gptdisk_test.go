package view_test

import (
	"encoding/binary"
	"hash/crc32"
)

// A table is a partition table to be written to a disk.
type table struct {
	sector, sectors int
	firstUsable     int
	lastUsable      int // 0: as far from the end as the first is from the start
	entries         int
	partitions      [][2]int // first and last sector
}

// small is a table as tools make it, on a disk as small as can be tested.
func small(sector int) table {
	first := 2 + 128*128/sector
	return table{
		sector: sector, sectors: 4 * first, firstUsable: first, entries: 128,
		partitions: [][2]int{{first, first + 1}, {first + 3, 2 * first}},
	}
}

// disk makes the disk: protective MBR, primary and backup table.
func (t table) disk() []byte {
	b := make([]byte, t.sector*t.sectors)
	for i := range 440 {
		b[i] = byte(i) // boot code
	}
	copy(b[446:], []byte{0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0})
	binary.LittleEndian.PutUint32(b[458:], uint32(t.sectors-1))
	b[510], b[511] = 0x55, 0xaa
	entries := t.table()
	last := t.last()
	copy(b[2*t.sector:], entries)
	copy(b[(last+1)*t.sector:], entries)
	copy(b[t.sector:], t.header(1, t.sectors-1, 2))
	copy(b[(t.sectors-1)*t.sector:], t.header(t.sectors-1, 1, last+1))
	return b
}

func (t table) last() int {
	if t.lastUsable != 0 {
		return t.lastUsable
	}
	return t.sectors - t.firstUsable
}

func (t table) table() []byte {
	b := make([]byte, max(t.entries, len(t.partitions))*128)
	for i, p := range t.partitions {
		e := b[i*128:]
		e[0], e[16] = 1, byte(i) // type, GUID
		binary.LittleEndian.PutUint64(e[32:], uint64(p[0]))
		binary.LittleEndian.PutUint64(e[40:], uint64(p[1]))
	}
	return b
}

func (t table) header(self, alternate, entries int) []byte {
	h := make([]byte, 92)
	le := binary.LittleEndian
	copy(h, "EFI PART\x00\x00\x01\x00\x5c")
	for i, v := range []int{self, alternate, t.firstUsable, t.last()} {
		le.PutUint64(h[24+8*i:], uint64(v))
	}
	h[56] = 7 // of the disk's GUID
	le.PutUint64(h[72:], uint64(entries))
	le.PutUint32(h[80:], uint32(t.entries))
	le.PutUint32(h[84:], 128)
	le.PutUint32(h[88:], crc32.ChecksumIEEE(t.table()))
	return seal(h)
}

// seal sets a header's CRC.
func seal(h []byte) []byte {
	clear(h[16:20])
	binary.LittleEndian.PutUint32(h[16:], crc32.ChecksumIEEE(h[:92]))
	return h
}
