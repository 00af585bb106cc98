package view_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"cosafs/materialize/disk/view"
)

// FuzzQCOW2 makes a disk of pairs (hole, data), and reads its view as the format's
// specification says: the disk's bytes must come out, and each cluster of the file
// must be used once, as its refcount says.
func FuzzQCOW2(f *testing.F) {
	f.Add([]byte{0, 1, 0, 1}, uint16(0))
	f.Add([]byte{1, 0, 255, 255, 0, 0, 128, 0}, uint16(513))
	f.Fuzz(func(t *testing.T, pairs []byte, more uint16) {
		var base disk
		for ; len(pairs) >= 4 && len(base.extents) < 16; pairs = pairs[4:] {
			start := base.size + 1 + int64(binary.BigEndian.Uint16(pairs))*8
			base.size = start + 1 + int64(binary.BigEndian.Uint16(pairs[2:]))*2
			base.extents = append(base.extents, view.Extent{Start: start, End: base.size})
		}
		base.size += int64(more)
		im := openQCOW2(t, base, base.size)
		file := make([]byte, im.Size())
		if _, err := im.ReadAt(file, 0); err != nil {
			t.Fatal(err)
		}
		want := make([]byte, (base.size+511)/512*512)
		if _, err := base.ReadAt(want, 0); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if got := decodeQCOW2(t, file); !bytes.Equal(got, want) {
			t.Error("the view holds another disk")
		}
	})
}

// decodeQCOW2 reads the disk in a small qcow2 file, and checks the refcounts.
func decodeQCOW2(t *testing.T, file []byte) []byte {
	t.Helper()
	const cluster, offsets = 65536, 1<<56 - 512
	be := binary.BigEndian
	used := make([]uint16, len(file)/cluster)
	use := func(off uint64) []byte {
		used[off/cluster]++
		return file[off : off+cluster]
	}
	use(0)
	disk := make([]byte, be.Uint64(file[24:]))
	if len(disk) > 0 {
		l1 := use(be.Uint64(file[40:]))
		for at := uint64(0); at < uint64(len(disk)); at += cluster * cluster / 8 {
			readL2(be.Uint64(l1[at/(cluster*cluster/8)*8:])&offsets, disk[at:], use)
		}
	}
	table := use(be.Uint64(file[48:]))
	counts := use(be.Uint64(table))
	for i, n := range used {
		if got := be.Uint16(counts[2*i:]); got != n || n != 1 {
			t.Errorf("cluster %d is used %d times, its refcount is %d", i, n, got)
		}
	}
	if rest := bytes.Trim(counts[2*len(used):], "\x00"); len(rest) > 0 {
		t.Error("refcounts of clusters after the file's end")
	}
	return disk
}

// readL2 reads what one L2 table maps; use gives the cluster at an offset.
func readL2(table uint64, disk []byte, use func(uint64) []byte) {
	if table == 0 {
		return
	}
	l2 := use(table)
	for ; len(l2) > 0 && len(disk) > 0; l2 = l2[8:] {
		n := min(len(disk), 65536)
		if off := binary.BigEndian.Uint64(l2) & (1<<56 - 512); off != 0 {
			copy(disk[:n], use(off))
		}
		disk = disk[n:]
	}
}
