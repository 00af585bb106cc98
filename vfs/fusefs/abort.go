package fusefs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// connections is where the FUSE control file system is mounted by convention.
const connections = "/sys/fs/fuse/connections"

// abort cuts the kernel's connection to a server: everything that waits for an
// answer gets an error. The number is the minor of the mount's device.
func abort(conn uint32) error {
	name := filepath.Join(strconv.FormatUint(uint64(conn), 10), "abort")
	f, err := os.OpenFile(filepath.Join(connections, name), os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = openControl(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the connection is gone already
	}
	if err != nil {
		return fmt.Errorf("abort FUSE connection %d: %w", conn, err)
	}
	_, err = f.WriteString("1")
	return firstError(err, f.Close())
}

// openControl opens a file of the control file system where nobody mounted it:
// a mount without a place, which goes with its descriptor. Only root may.
func openControl(name string) (*os.File, error) {
	sb, err := unix.Fsopen("fusectl", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("fsopen fusectl", err)
	}
	defer func() { _ = unix.Close(sb) }()
	if err := unix.FsconfigCreate(sb); err != nil {
		return nil, os.NewSyscallError("fsconfig fusectl", err)
	}
	root, err := unix.Fsmount(sb, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fsmount fusectl", err)
	}
	defer func() { _ = unix.Close(root) }()
	fd, err := unix.Openat(root, name, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}
