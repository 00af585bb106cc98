package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// seal notes what the files of a closed database look like. A database that was
// killed has no seal, and is looked through at the next start.
func seal(dir string) error {
	text, err := describe(filepath.Join(dir, dbName))
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, sealName)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, sealName))
	}
	if err != nil {
		return errors.Join(err, remove(f.Name()))
	}
	return nil
}

// unseal says whether the database is as it was closed, and breaks the seal. One
// whose files changed since is damaged.
func (c *Catalog) unseal() (sealed bool, err error) {
	want, err := os.ReadFile(c.path(sealName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	have, err := describe(c.path(dbName))
	if err != nil {
		return false, err
	}
	if !bytes.Equal(want, have) {
		return false, fmt.Errorf("%w: its files changed while it was closed", ErrDamaged)
	}
	return true, os.Remove(c.path(sealName))
}

// describe gives size and checksum of each file.
func describe(dir string) ([]byte, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var text []byte
	for _, e := range entries {
		sum, size, err := sumFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		text = fmt.Appendf(text, "%08x %d %s\n", sum, size, e.Name())
	}
	return fmt.Appendf(text, "%08x\n", crc32.Checksum(text, checkTable)), nil
}

func sumFile(path string) (sum uint32, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	h := crc32.New(checkTable)
	size, err = io.Copy(h, f)
	return h.Sum32(), size, errors.Join(err, f.Close())
}
