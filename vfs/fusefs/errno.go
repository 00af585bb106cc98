package fusefs

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"cosafs/materialize"
	"cosafs/vfs"
)

// errnos translates errors; the first that matches wins. What isn't here is
// EIO. The reasons behind an EIO are in the file's user.cosafs.reason and in
// .cosafs/status.
var errnos = []struct {
	err   error
	errno syscall.Errno
}{
	{vfs.ErrReadOnly, unix.EROFS},
	{vfs.ErrNotDir, unix.ENOTDIR},
	{vfs.ErrIsDir, unix.EISDIR},
	{vfs.ErrNotEmpty, unix.ENOTEMPTY},
	{vfs.ErrStale, unix.ESTALE},
	{vfs.ErrLoop, unix.ELOOP},
	{errDying, unix.EINTR},
	{errClosing, unix.ENODEV},
	{materialize.ErrCancelled, unix.ECANCELED},
	{materialize.ErrAbandoned, unix.ECANCELED},
	{materialize.ErrNotMakeable, unix.EOPNOTSUPP},
	{materialize.ErrCorrupt, unix.EIO},
	{unix.ENOSPC, unix.ENOSPC},
	{unix.EDQUOT, unix.EDQUOT},
	{context.DeadlineExceeded, unix.ETIMEDOUT},
	{os.ErrDeadlineExceeded, unix.ETIMEDOUT},
	{context.Canceled, unix.EINTR},
	{fs.ErrNotExist, unix.ENOENT},
	{fs.ErrExist, unix.EEXIST},
	{fs.ErrPermission, unix.EACCES},
	{fs.ErrInvalid, unix.EINVAL},
	{fs.ErrClosed, unix.EBADF},
	{errors.ErrUnsupported, unix.EOPNOTSUPP},
}

// translate gives err's errno, and whether the table knows it. A failure of
// materialising keeps to its class: ENOSPC for a full disk, else EIO, whatever
// io/fs sentinel its cause happens to wrap; a missing tool inside a job must not
// look like a missing file.
func translate(err error) (errno syscall.Errno, known bool) {
	var failure *materialize.Failure
	if errors.As(err, &failure) {
		if failure.Class == materialize.ClassSpace {
			return unix.ENOSPC, true
		}
		return unix.EIO, true
	}
	for _, e := range errnos {
		if errors.Is(err, e.err) {
			return e.errno, true
		}
	}
	return unix.EIO, false
}

// errno translates. What the table does not know is logged here, with its whole
// chain, because the caller will not get to see it; known failures are told by
// whoever failed.
func (s *Server) errno(op string, err error) syscall.Errno {
	errno, known := translate(err)
	if !known {
		s.log.Error("input/output error", "op", op, "err", err)
	}
	return errno
}
