package view

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io/fs"
)

// The GUID partition table: UEFI specification 2.10, section 5.3.
const (
	gptHeader = 92  // bytes that the specification defines
	gptEntry  = 128 // bytes; larger entries are allowed and nobody makes them
	// gptMaxEntries bounds the memory for a table. Tools make 128.
	gptMaxEntries = 4096
)

// A gpt is a partition table that was found sound. All places are in sectors.
type gpt struct {
	sector int64  // bytes
	header []byte // the primary header's whole sector
	table  []byte // the entries, in whole sectors

	alternate   int64 // place of the backup header
	firstUsable int64
	lastUsable  int64
	lastUsed    int64 // the last sector of any partition; 0 if there is none
}

// readGPT reads the partition table of a disk, and compares it with its backup.
func readGPT(disk Image, sector int64) (*gpt, error) {
	g, err := readGPTHeader(disk, sector, 1)
	if err != nil {
		return nil, fmt.Errorf("primary GPT: %w", err)
	}
	if err := g.checkPartitions(); err != nil {
		return nil, fmt.Errorf("primary GPT: %w", err)
	}
	if g.alternate <= g.lastUsable {
		return nil, damaged("primary GPT: the backup is at sector %d, usable are %d to %d", g.alternate, g.firstUsable, g.lastUsable)
	}
	backup, err := readGPTHeader(disk, sector, g.alternate)
	if err != nil {
		return nil, fmt.Errorf("backup GPT: %w", err)
	}
	if backup.alternate != 1 || !bytes.Equal(backup.table, g.table) || !bytes.Equal(backup.diskGUID(), g.diskGUID()) ||
		backup.firstUsable != g.firstUsable || backup.lastUsable != g.lastUsable {
		return nil, damaged("backup GPT: not that of the primary")
	}
	return g, nil
}

// diskGUID is the disk's GUID as it is stored.
func (g *gpt) diskGUID() []byte { return g.header[56:72] }

// readGPTHeader reads the header at a place, and the entries it tells of.
func readGPTHeader(disk Image, sector, at int64) (*gpt, error) {
	sectors := disk.Size() / sector
	if at < 1 || at >= sectors {
		return nil, damaged("header at sector %d, the disk has %d", at, sectors)
	}
	g := &gpt{sector: sector, header: make([]byte, sector)}
	if err := readPadded(disk, g.header, at*sector); err != nil {
		return nil, err
	}
	if err := checkGPTHeader(g.header, at); err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	g.alternate = int64(le.Uint64(g.header[32:]))
	g.firstUsable, g.lastUsable = int64(le.Uint64(g.header[40:])), int64(le.Uint64(g.header[48:]))
	if g.firstUsable < 1 || g.lastUsable < g.firstUsable-1 || g.lastUsable >= sectors {
		return nil, damaged("usable sectors from %d to %d, the disk has %d", g.firstUsable, g.lastUsable, sectors)
	}
	if err := g.readTable(disk, at); err != nil {
		return nil, err
	}
	return g, nil
}

// checkGPTHeader checks what a header says of itself.
func checkGPTHeader(header []byte, at int64) error {
	le := binary.LittleEndian
	if !bytes.HasPrefix(header, []byte("EFI PART\x00\x00\x01\x00")) {
		return damaged("no header of version 1.0 at sector %d (is the sector size right?)", at)
	}
	if size := le.Uint32(header[12:]); size != gptHeader {
		return damaged("header of %d bytes, only %d are supported", size, gptHeader)
	}
	if got, want := le.Uint32(header[16:]), gptHeaderCRC(header); got != want {
		return damaged("the header's CRC is %08x, its bytes have %08x", got, want)
	}
	if self := le.Uint64(header[24:]); self != uint64(at) {
		return damaged("the header at sector %d says that it is at %d", at, self)
	}
	return nil
}

// readTable reads the entries of a header, which are before the usable sectors if it
// is the primary one, else after them.
func (g *gpt) readTable(disk Image, at int64) error {
	le := binary.LittleEndian
	count, size := le.Uint32(g.header[80:]), le.Uint32(g.header[84:])
	if size != gptEntry || count < 1 || count > gptMaxEntries {
		return damaged("%d entries of %d bytes, supported are 1 to %d of %d", count, size, gptMaxEntries, gptEntry)
	}
	after, before := at, g.firstUsable
	if at != 1 {
		after, before = g.lastUsable, at
	}
	start, sectors := int64(le.Uint64(g.header[72:])), ceilDiv(int64(count)*gptEntry, g.sector)
	if start <= after || start > before-sectors {
		return damaged("entries at sector %d, must be %d sectors between %d and %d", start, sectors, after, before)
	}
	g.table = make([]byte, sectors*g.sector)
	entries := g.table[:count*gptEntry]
	if err := readPadded(disk, entries, start*g.sector); err != nil {
		return err
	}
	if got, want := le.Uint32(g.header[88:]), crc32.ChecksumIEEE(entries); got != want {
		return damaged("the CRC of the entries is %08x, their bytes have %08x", got, want)
	}
	return nil
}

// checkPartitions checks that all partitions are in the usable sectors, and finds the
// last sector that one has.
func (g *gpt) checkPartitions() error {
	le := binary.LittleEndian
	for i := 0; i < len(g.table); i += gptEntry {
		entry := g.table[i : i+gptEntry]
		if bytes.Equal(entry[:16], make([]byte, 16)) {
			continue // unused: no type
		}
		first, last := int64(le.Uint64(entry[32:])), int64(le.Uint64(entry[40:]))
		if first < g.firstUsable || last < first || last > g.lastUsable {
			return damaged("partition %d from sector %d to %d, usable are %d to %d",
				i/gptEntry+1, first, last, g.firstUsable, g.lastUsable)
		}
		g.lastUsed = max(g.lastUsed, last)
	}
	return nil
}

// gptHeaderCRC is the checksum of a header, in which that itself counts as zeros.
func gptHeaderCRC(header []byte) uint32 {
	var h [gptHeader]byte
	copy(h[:], header)
	clear(h[16:20])
	return crc32.ChecksumIEEE(h[:])
}

// damaged says that a partition table isn't one.
func damaged(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), fs.ErrInvalid)
}
