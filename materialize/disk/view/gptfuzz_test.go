package view_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"testing"

	"cosafs/materialize/disk/view"
)

// FuzzGrowGPT grows a disk some bytes of which were changed (each by three bytes: place,
// place, value), with checksums that are right nevertheless where one can be computed.
// What is not refused is a table again, that has nothing left to be changed; and no byte
// of a partition is another one.
func FuzzGrowGPT(f *testing.F) {
	f.Add([]byte{}, uint16(0), false)
	f.Add([]byte{}, uint16(60000), true)
	f.Add([]byte{2, 40, 6, 2, 72, 3}, uint16(700), false)
	f.Add([]byte{16, 80, 1, 4, 40, 1}, uint16(9000), true)
	f.Fuzz(func(t *testing.T, changes []byte, more uint16, large bool) {
		tiny := table{sector: 512, sectors: 12, firstUsable: 3, entries: 4, partitions: [][2]int{{3, 3}, {5, 8}}}
		if large {
			tiny.sector = 4096
		}
		disk := tiny.disk()
		for ; len(changes) >= 3; changes = changes[3:] {
			disk[int(binary.BigEndian.Uint16(changes))%len(disk)] = changes[2]
		}
		sealTable(disk, tiny.sector, 1)
		sealTable(disk, tiny.sector, tiny.sectors-1)
		checkGrown(t, disk, int64(len(disk))+int64(more), tiny.sector)
	})
}

// checkGrown grows a disk twice, unless that is refused.
func checkGrown(t *testing.T, disk []byte, size int64, sector int) {
	t.Helper()
	grown, err := view.GrowGPT(view.Bytes(disk), size, sector)
	if err != nil {
		if !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%v, want ErrInvalid", err)
		}
		return
	}
	got := contentOf(t, grown)
	again, err := view.GrowGPT(grown, size, sector)
	if err != nil {
		t.Fatalf("the second time: %v", err)
	}
	if !bytes.Equal(contentOf(t, again), got) {
		t.Error("the second time something changes")
	}
	checkPartitionsKept(t, disk, got, sector)
}

// sealTable makes the checksums of a header at a sector right.
func sealTable(disk []byte, sector, at int) {
	if at < 1 || (at+1)*sector > len(disk) {
		return
	}
	le, h := binary.LittleEndian, disk[at*sector:]
	start, count := le.Uint64(h[72:]), uint64(le.Uint32(h[80:]))
	if end := start*uint64(sector) + count*128; start < uint64(len(disk)) && end <= uint64(len(disk)) {
		le.PutUint32(h[88:], crc32.ChecksumIEEE(disk[start*uint64(sector):end]))
	}
	seal(h)
}

// checkPartitionsKept compares the bytes in partitions, which only an accepted table
// can be asked for.
func checkPartitionsKept(t *testing.T, before, after []byte, sector int) {
	t.Helper()
	le, h := binary.LittleEndian, before[sector:]
	entries := before[int(le.Uint64(h[72:]))*sector:][:int(le.Uint32(h[80:]))*128]
	for ; len(entries) > 0; entries = entries[128:] {
		if bytes.Equal(entries[:16], make([]byte, 16)) {
			continue
		}
		first, end := int(le.Uint64(entries[32:]))*sector, int(le.Uint64(entries[40:])+1)*sector
		if !bytes.Equal(before[first:end], after[first:end]) {
			t.Errorf("the partition from byte %d to %d was changed", first, end)
		}
	}
}

func contentOf(t *testing.T, im view.Image) []byte {
	t.Helper()
	b, err := io.ReadAll(view.Reader(t.Context(), im))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
