package vfs

import (
	"errors"
	"io/fs"
)

// Errors that io/fs has no sentinel for. Nodes wrap them, and io/fs's, in
// *fs.PathError.
var (
	// ErrReadOnly answers every attempt to change the tree.
	ErrReadOnly = errors.New("read-only file system")
	// ErrNotDir means that a name below something that is no directory was asked for.
	ErrNotDir = errors.New("not a directory")
	// ErrIsDir means that a directory was used as a file.
	ErrIsDir = errors.New("is a directory")
	// ErrNotEmpty is for directories that can't go because they hold something.
	ErrNotEmpty = errors.New("directory not empty")
	// ErrStale means that the name stands for another file by now; look it up again.
	ErrStale = errors.New("the name means another file by now")
	// ErrLoop means that a path leads through too many symbolic links.
	ErrLoop = errors.New("too many symbolic links")
)

// pathError says which operation failed on which path, unless err is nil.
func pathError(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: path, Err: err}
}
