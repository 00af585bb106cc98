package offline

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"

	"cosafs/materialize/disk/install"
)

// A partition is where one lies on the disk.
type partition struct{ start, size int64 } // bytes

// readTable reads the partitions of a disk whose table was written a moment ago (UEFI
// 5.3: 128 bytes an entry from the third sector on, first and last sector at 32 and 40).
func readTable(disk string, sector int64) ([]partition, error) {
	f, err := os.Open(disk)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read only
	table := make([]byte, install.Root*128)
	if _, err := f.ReadAt(table, 2*sector); err != nil {
		return nil, err
	}
	var all []partition
	for entry := range slices.Chunk(table, 128) {
		first, last := int64(binary.LittleEndian.Uint64(entry[32:])), int64(binary.LittleEndian.Uint64(entry[40:]))
		if first == 0 || last < first {
			return nil, fmt.Errorf("%s: partition %d is missing", disk, len(all)+1)
		}
		all = append(all, partition{first * sector, (last - first + 1) * sector})
	}
	return all, nil
}
