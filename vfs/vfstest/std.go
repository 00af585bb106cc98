package vfstest

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"time"

	"cosafs/vfs"
)

// Std gives the tree as an [fs.FS], for testing/fstest.
func Std(ctx func() context.Context, tree *vfs.FS) fs.FS { return &std{ctx, tree} }

type std struct {
	ctx  func() context.Context
	tree *vfs.FS
}

var (
	_ fs.ReadLinkFS = (*std)(nil)
	_ fs.FS         = (*std)(nil)
)

func (s *std) Open(name string) (fs.File, error) {
	n, _, err := s.tree.Follow(s.ctx(), name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	info, err := s.info(name, n)
	if err != nil {
		return nil, err
	}
	if d, ok := n.(vfs.Dir); ok {
		return s.openDir(name, d, info)
	}
	f, ok := n.(vfs.File)
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	b, err := f.Open(s.ctx())
	if err != nil {
		return nil, err
	}
	r := io.NewSectionReader(readerAt{s.ctx, b}, 0, b.Size())
	return &stdFile{SectionReader: r, Closer: b, info: info}, nil
}

func (s *std) openDir(name string, d vfs.Dir, info fs.FileInfo) (fs.File, error) {
	list, err := d.Entries(s.ctx())
	if err != nil {
		return nil, err
	}
	entries := make([]fs.DirEntry, len(list))
	for i, e := range list {
		n, err := d.Lookup(s.ctx(), e.Name)
		if err != nil {
			return nil, err
		}
		child, err := s.info(e.Name, n)
		if err != nil {
			return nil, err
		}
		entries[i] = fs.FileInfoToDirEntry(child)
	}
	return &stdDir{name: name, info: info, rest: entries}, nil
}

// ReadLink implements fs.ReadLinkFS.
func (s *std) ReadLink(name string) (string, error) {
	return InProcess(s.ctx, s.tree).Readlink(name)
}

// Lstat implements fs.ReadLinkFS.
func (s *std) Lstat(name string) (fs.FileInfo, error) {
	n, err := s.tree.Walk(s.ctx(), name)
	if err != nil {
		return nil, &fs.PathError{Op: "lstat", Path: name, Err: err}
	}
	return s.info(name, n)
}

func (s *std) info(name string, n vfs.Node) (fs.FileInfo, error) {
	a, err := n.Attr(s.ctx())
	return stdInfo{path.Base(name), a}, err
}

// stdFile is an open file.
type stdFile struct {
	*io.SectionReader
	io.Closer
	info fs.FileInfo
}

func (f *stdFile) Stat() (fs.FileInfo, error) { return f.info, nil }

// stdDir is an open directory.
type stdDir struct {
	name string
	info fs.FileInfo
	rest []fs.DirEntry
}

func (d *stdDir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *stdDir) Close() error               { return nil }

func (d *stdDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: errors.New("is a directory")}
}

func (d *stdDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(d.rest)
	} else if len(d.rest) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.rest))
	list := d.rest[:n]
	d.rest = d.rest[n:]
	return list, nil
}

// stdInfo describes a node. An unknown size is 0.
type stdInfo struct {
	name string
	attr vfs.Attr
}

func (i stdInfo) Name() string       { return i.name }
func (i stdInfo) Size() int64        { return max(i.attr.Size, 0) }
func (i stdInfo) Mode() fs.FileMode  { return i.attr.Mode }
func (i stdInfo) ModTime() time.Time { return i.attr.ModTime }
func (i stdInfo) IsDir() bool        { return i.attr.Mode.IsDir() }
func (i stdInfo) Sys() any           { return i.attr }
