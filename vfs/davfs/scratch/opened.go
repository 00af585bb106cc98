package scratch

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/net/webdav"
)

// An opened is a file or directory for reading. It has no more methods than
// x/net/webdav needs: those that [os.File] has for [io.Copy] would pass by the
// limits.
type opened struct {
	file *os.File
	s    *session
	name string
}

var (
	_ webdav.File            = (*opened)(nil)
	_ webdav.DeadPropsHolder = (*opened)(nil)
)

// Stat describes the file that is open.
func (o *opened) Stat() (fs.FileInfo, error) {
	fi, err := o.file.Stat()
	if err != nil {
		return nil, err
	}
	return info{named{fi, lastSegment(o.name)}}, nil
}

// Readdir lists in the order of names what clients may see; all of it, whatever
// the count.
func (o *opened) Readdir(int) ([]fs.FileInfo, error) {
	all, err := o.file.Readdir(-1)
	all = slices.DeleteFunc(all, func(fi fs.FileInfo) bool { return !shown(o.name, fi) })
	slices.SortFunc(all, func(a, b fs.FileInfo) int { return strings.Compare(a.Name(), b.Name()) })
	return all, err
}

// Read, Seek and Close are the file's.
func (o *opened) Read(p []byte) (int, error)                { return o.file.Read(p) }
func (o *opened) Seek(off int64, whence int) (int64, error) { return o.file.Seek(off, whence) }
func (o *opened) Close() error                              { return o.file.Close() }

// Write fails: new bytes are a new file.
func (o *opened) Write([]byte) (int, error) {
	return 0, &fs.PathError{Op: "write", Path: o.name, Err: fs.ErrPermission}
}

// A named is a file under the name that clients know.
type named struct {
	fs.FileInfo
	name string
}

// Name gives that name.
func (n named) Name() string { return n.name }

func lastSegment(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// An upload is a file that grows in the state directory.
type upload struct {
	*opened
	sealed bool
}

var _ webdav.File = (*upload)(nil)

// Write adds bytes as long as they are within the limits and somebody waits.
func (u *upload) Write(p []byte) (int, error) {
	if err := u.room(int64(len(p))); err != nil {
		u.s.fail(err)
		return 0, err
	}
	n, err := u.file.Write(p)
	u.s.written += int64(n)
	u.s.fail(err)
	return n, err
}

func (u *upload) room(n int64) error {
	if err := u.s.r.Context().Err(); err != nil {
		return err
	}
	at, err := u.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	if at+n > u.s.c.tree.max {
		return errTooLarge
	}
	return u.s.budget.spend(u.s.c.tree.space, n)
}

// Stat describes the finished file: x/net/webdav makes the answer's ETag of it.
func (u *upload) Stat() (fs.FileInfo, error) {
	if err := u.seal(); err != nil {
		return nil, err
	}
	return u.opened.Stat()
}

// seal brings the bytes to the disk, and gives them a time that no other has.
func (u *upload) seal() error {
	if u.sealed {
		return nil
	}
	u.sealed = true
	t := u.s.c.tree
	now := t.clock.next()
	return errors.Join(t.root.Chtimes(files{u.s}.place(u.name), now, now), u.file.Sync())
}

// Close ends the file; the session gives it its name when all went well.
func (u *upload) Close() error {
	err := errors.Join(u.seal(), u.file.Close())
	u.s.fail(err)
	return err
}
