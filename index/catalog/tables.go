package catalog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/ristretto/v2/z"
)

// checkTables reads all tables of a database that was killed. Badger would read
// them in goroutines of its own, where nobody can catch what it throws. Those that its
// manifest doesn't name it deletes: a table is half written until it is named there.
func checkTables(dir string, alive func() error) error {
	paths, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	named := namedTables(dir)
	for _, path := range paths {
		if !named(path) {
			continue
		}
		if err == nil {
			err = alive()
		}
		if err == nil {
			err = contain(func() error { return checkOneTable(path) })
		}
	}
	return err
}

// namedTables tells the tables that the manifest names; all, if it can't be read: badger
// says then what is wrong with it.
func namedTables(dir string) func(path string) bool {
	var manifest badger.Manifest
	err := contain(func() error {
		f, err := os.Open(filepath.Join(dir, badger.ManifestFilename))
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // read only
		manifest, _, err = badger.ReplayManifestFile(f, 0, badger.DefaultOptions(dir).WithLogger(nil))
		return err
	})
	return func(path string) bool {
		id, ok := table.ParseFileID(path)
		_, named := manifest.Tables[id]
		return err != nil || !ok || named
	}
}

// checkOneTable reads one table: first what badger takes for granted, then the
// blocks, in badger's way.
func checkOneTable(path string) error {
	if err := checkFooter(path); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDamaged, filepath.Base(path), err)
	}
	f, err := z.OpenMmapFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	t, err := table.OpenTable(f, table.Options{ChkMode: options.OnTableAndBlockRead, Compression: options.None, BlockSize: 4 << 10})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return t.Close(-1)
}

// errFooter says that a table doesn't end as it should.
var errFooter = errors.New("its end is damaged")

// checkFooter checks the end of a table: index, its length, a protobuf of its
// checksum, the length of that. Lengths are 4 bytes, big-endian. Source: badger's
// table.Builder, v4.
func checkFooter(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	checksum, rest, ok := cutBack(data)
	if !ok {
		return errFooter
	}
	tableIndex, _, ok := cutBack(rest)
	if !ok {
		return errFooter
	}
	// Field 1 is the algorithm, left out where it is CRC32C; field 2 the sum.
	if len(checksum) == 0 || checksum[0] != 2<<3 {
		return errFooter
	}
	sum, n := binary.Uvarint(checksum[1:])
	if n != len(checksum)-1 || sum != uint64(crc32.Checksum(tableIndex, checkTable)) {
		return errFooter
	}
	return nil
}

// cutBack takes a piece off the end whose length follows it.
func cutBack(data []byte) (piece, rest []byte, ok bool) {
	if len(data) < 4 {
		return nil, nil, false
	}
	data, length := data[:len(data)-4], binary.BigEndian.Uint32(data[len(data)-4:])
	if uint64(length) > uint64(len(data)) {
		return nil, nil, false
	}
	at := len(data) - int(length)
	return data[at:], data[:at], true
}
