package fusefs

import (
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Device is the kernel's door to FUSE.
const Device = "/dev/fuse"

// CheckDevice says what is wrong with the FUSE device at path, nil for nothing:
// it is missing, it may not be opened, or, as containers arrange, it is
// something else of this name.
func CheckDevice(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // nothing was written
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	// Linux's list of devices: character, 10 misc, 229 FUSE.
	if st.Mode&unix.S_IFMT != unix.S_IFCHR || unix.Major(st.Rdev) != 10 || unix.Minor(st.Rdev) != 229 {
		return &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("not the FUSE device: %w", unix.ENODEV)}
	}
	return nil
}
