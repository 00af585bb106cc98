package vfstest

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"cosafs/vfs"
)

// An Access is a way to the tree: in process, or through the operating system.
// Paths are slash-separated below the root.
type Access interface {
	Stat(path string) (Info, error) // does not follow a link at the end
	List(path string) ([]string, error)
	// Open reads a file. Readers are used from one goroutine each.
	Open(path string) (io.ReaderAt, io.Closer, error)
	Readlink(path string) (string, error)
	Xattrs(path string) (map[string]string, error)
	// Change tries every way to change the tree and returns those that worked, or
	// failed otherwise than with "read-only file system".
	Change(path string) []string
}

// Info is what cases compare of a file.
type Info struct {
	Type fs.FileMode
	Perm fs.FileMode
	Size int64
	Ino  uint64
}

// InProcess is the tree itself.
func InProcess(ctx func() context.Context, tree *vfs.FS) Access { return &direct{ctx, tree} }

// direct asks the nodes. Its ctx is a function, t.Context of the running test.
type direct struct {
	ctx  func() context.Context
	tree *vfs.FS
}

func (d *direct) Stat(path string) (Info, error) {
	n, err := d.tree.Walk(d.ctx(), path)
	if err != nil {
		return Info{}, err
	}
	a, err := n.Attr(d.ctx())
	return Info{Type: a.Mode.Type(), Perm: a.Mode.Perm(), Size: max(a.Size, 0), Ino: a.Ino}, err
}

func (d *direct) List(path string) ([]string, error) {
	n, _, err := d.tree.Follow(d.ctx(), path)
	if err != nil {
		return nil, err
	}
	dir, ok := n.(vfs.Dir)
	if !ok {
		return nil, vfs.ErrNotDir
	}
	entries, err := dir.Entries(d.ctx())
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name
	}
	return names, err
}

func (d *direct) Open(path string) (io.ReaderAt, io.Closer, error) {
	n, _, err := d.tree.Follow(d.ctx(), path)
	if err != nil {
		return nil, nil, err
	}
	f, ok := n.(vfs.File)
	if !ok {
		return nil, nil, vfs.ErrIsDir
	}
	b, err := f.Open(d.ctx())
	if err != nil {
		return nil, nil, err
	}
	return readerAt{d.ctx, b}, b, nil
}

// readerAt gives a blob the test's context.
type readerAt struct {
	ctx func() context.Context
	b   vfs.Blob
}

func (r readerAt) ReadAt(p []byte, off int64) (int, error) { return r.b.ReadAt(r.ctx(), p, off) }

func (d *direct) Readlink(path string) (string, error) {
	n, err := d.tree.Walk(d.ctx(), path)
	if err != nil {
		return "", err
	}
	l, ok := n.(vfs.Symlink)
	if !ok {
		return "", fs.ErrInvalid
	}
	return l.Readlink(d.ctx())
}

func (d *direct) Xattrs(path string) (map[string]string, error) {
	n, _, err := d.tree.Follow(d.ctx(), path)
	if err != nil {
		return nil, err
	}
	x, ok := n.(vfs.Xattrer)
	if !ok {
		return map[string]string{}, nil
	}
	list, err := x.Xattrs(d.ctx())
	m := map[string]string{}
	for _, a := range list {
		m[a.Name] = string(a.Value)
	}
	return m, err
}

func (d *direct) Change(string) []string { return nil } // there is no way

// Directory is the tree through the operating system: a mount, or a plain
// directory as the oracle.
func Directory(dir string) Access { return directory(dir) }

type directory string

func (d directory) at(path string) string { return filepath.Join(string(d), filepath.FromSlash(path)) }

func (d directory) Stat(path string) (Info, error) {
	var st unix.Stat_t
	if err := unix.Lstat(d.at(path), &st); err != nil {
		return Info{}, &fs.PathError{Op: "lstat", Path: path, Err: err}
	}
	info := Info{Perm: fs.FileMode(st.Mode & 0o777), Size: st.Size, Ino: st.Ino}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		info.Type, info.Size = fs.ModeDir, 0
	case unix.S_IFLNK:
		info.Type = fs.ModeSymlink
	}
	return info, nil
}

func (d directory) List(path string) ([]string, error) {
	entries, err := os.ReadDir(d.at(path))
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, err
}

func (d directory) Open(path string) (io.ReaderAt, io.Closer, error) {
	f, err := os.Open(d.at(path))
	if err != nil {
		return nil, nil, err
	}
	return f, f, nil
}

func (d directory) Readlink(path string) (string, error) { return os.Readlink(d.at(path)) }

func (d directory) Xattrs(path string) (map[string]string, error) {
	buf := make([]byte, 4096)
	n, err := unix.Listxattr(d.at(path), buf)
	if err != nil {
		return nil, err
	}
	m := map[string]string{}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(buf[:n]), "\x00"), "\x00") {
		if !strings.HasPrefix(name, "user.") {
			continue
		}
		value := make([]byte, 4096)
		n, err := unix.Getxattr(d.at(path), name, value)
		if err != nil {
			return nil, err
		}
		m[name] = string(value[:n])
	}
	return m, nil
}

func (d directory) Change(path string) []string {
	dir, file := filepath.Dir(d.at(path)), d.at(path)
	attempts := map[string]func() error{
		"create":      func() error { return os.WriteFile(filepath.Join(dir, "new"), nil, 0o644) },
		"access":      func() error { return unix.Access(file, unix.W_OK) },
		"open rw":     func() error { f, err := os.OpenFile(file, os.O_RDWR, 0); return errors.Join(err, closeIf(f)) },
		"truncate":    func() error { return os.Truncate(file, 0) },
		"remove":      func() error { return os.Remove(file) },
		"rmdir":       func() error { return unix.Rmdir(d.at("43.2")) },
		"rename":      func() error { return os.Rename(file, file+".old") },
		"mkdir":       func() error { return os.Mkdir(filepath.Join(dir, "new"), 0o755) },
		"symlink":     func() error { return os.Symlink("x", filepath.Join(dir, "new")) },
		"link":        func() error { return os.Link(file, filepath.Join(dir, "new")) },
		"chmod":       func() error { return os.Chmod(file, 0o600) },
		"chown":       func() error { return os.Chown(file, 1, 1) },
		"chtimes":     func() error { return os.Chtimes(file, epoch, epoch) },
		"setxattr":    func() error { return unix.Setxattr(file, "user.x", []byte("y"), 0) },
		"removexattr": func() error { return unix.Removexattr(file, "user.cosafs.state") },
		"mknod":       func() error { return unix.Mknod(filepath.Join(dir, "new"), unix.S_IFIFO|0o644, 0) },
	}
	var worked []string
	for name, try := range attempts {
		if err := try(); !errors.Is(err, unix.EROFS) {
			worked = append(worked, name)
		}
	}
	slices.Sort(worked)
	return worked
}

func closeIf(f *os.File) error {
	if f == nil {
		return nil
	}
	return f.Close()
}
