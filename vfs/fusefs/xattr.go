package fusefs

import (
	"context"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"cosafs/vfs"
)

// xattrs lists the file's extended attributes.
func (f *fileNode) xattrs(ctx context.Context) ([]vfs.Xattr, syscall.Errno) {
	x, ok := f.n.(vfs.Xattrer)
	if !ok {
		return nil, 0
	}
	list, err := x.Xattrs(context.WithoutCancel(ctx))
	if err != nil {
		return nil, f.s.errno("getxattr", err)
	}
	return list, 0
}

// Getxattr gives one extended attribute. ls -l asks each file for an SELinux
// label and an ACL, which must cost nothing: ours are all in one namespace.
func (f *fileNode) Getxattr(ctx context.Context, attr string, dest []byte) (uint32, syscall.Errno) {
	if !strings.HasPrefix(attr, "user.") {
		return 0, unix.ENODATA
	}
	list, errno := f.xattrs(ctx)
	if errno != 0 {
		return 0, errno
	}
	for _, x := range list {
		if x.Name == attr {
			return fit(dest, x.Value)
		}
	}
	return 0, unix.ENODATA
}

// Listxattr gives the names, each with a NUL.
func (f *fileNode) Listxattr(ctx context.Context, dest []byte) (uint32, syscall.Errno) {
	list, errno := f.xattrs(ctx)
	if errno != 0 {
		return 0, errno
	}
	var names []byte
	for _, x := range list {
		names = append(append(names, x.Name...), 0)
	}
	return fit(dest, names)
}

// fit copies value, or tells its size where dest is too small.
func fit(dest, value []byte) (uint32, syscall.Errno) {
	if len(dest) < len(value) {
		return uint32(len(value)), unix.ERANGE
	}
	return uint32(copy(dest, value)), 0
}
