package qemu

import (
	"archive/tar"
	"fmt"
	"io"
	"math"
	"os"

	"cosafs/materialize"
)

// openOVA finds the disk in an OVA, which is a plain tar: qemu reads it where it
// lies.
func (m *Media) openOVA(file string) error {
	f, err := m.open(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // read only
	at := io.NewSectionReader(f, 0, math.MaxInt64)
	disk, err := diskIn(tar.NewReader(at))
	if err != nil {
		return materialize.Fail(materialize.ClassConfig, op, "an OVA holds its disk as .vmdk", fmt.Errorf("%s: %w", m.Name, err))
	}
	offset, err := at.Seek(0, io.SeekCurrent) // the reader of a tar takes no byte more than the header
	if err != nil {
		return err
	}
	m.node = map[string]any{
		"driver": "raw", "offset": offset, "size": disk.Size,
		"file": map[string]any{"driver": "file", "filename": file},
	}
	return m.describe(disk.Name)
}

// open opens for us what qemu finds at a path.
func (m *Media) open(path string) (*os.File, error) {
	if len(m.files) > 0 {
		return os.Open(fmt.Sprintf("/proc/self/fd/%d", m.files[0].Fd()))
	}
	return os.Open(path)
}
