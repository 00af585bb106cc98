package fusefs

import (
	"context"
	"syscall"

	fusenode "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"cosafs/vfs"
)

// Looking is free, so it isn't interrupted: node methods other than Open and
// Read go on with context.WithoutCancel.

// dirNode is a directory that the kernel knows.
type dirNode struct {
	fusenode.Inode
	s *Server
	n vfs.Dir
}

var (
	_ fusenode.NodeLookuper       = (*dirNode)(nil)
	_ fusenode.NodeGetattrer      = (*dirNode)(nil)
	_ fusenode.NodeOpendirHandler = (*dirNode)(nil)
	_ fusenode.NodeUnlinker       = (*dirNode)(nil)
	_ fusenode.NodeRmdirer        = (*dirNode)(nil)
)

func (d *dirNode) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fusenode.Inode, syscall.Errno) {
	ctx = context.WithoutCancel(ctx)
	if a, err := d.n.Attr(ctx); err == nil && a.EntryValid < negative {
		// Marks the reply so that go-fuse does not set its negative timeout.
		out.SetEntryTimeout(1)
	}
	n, err := d.n.Lookup(ctx, name)
	if err != nil {
		return nil, d.s.errno("lookup", err)
	}
	a, err := n.Attr(ctx)
	if err != nil {
		return nil, d.s.errno("lookup", err)
	}
	fillEntry(out, a)
	if d.IsRoot() {
		d.s.pruner.saw(name)
	}
	return d.NewInode(ctx, d.s.wrap(n, a), stable(a)), 0
}

// wrap gives the kernel's side of a node.
func (s *Server) wrap(n vfs.Node, a vfs.Attr) fusenode.InodeEmbedder {
	switch n := n.(type) {
	case vfs.Dir:
		return &dirNode{s: s, n: n}
	case vfs.Symlink:
		return &linkNode{s: s, n: n}
	case vfs.File:
		f := &fileNode{s: s, n: n}
		f.sizeless.Store(a.Size < 0)
		return f
	default:
		panic("fusefs: a node that is no directory, file or link")
	}
}

func (d *dirNode) Getattr(ctx context.Context, _ fusenode.FileHandle, out *fuse.AttrOut) syscall.Errno {
	return d.s.getattr(ctx, d.n, out)
}

func (s *Server) getattr(ctx context.Context, n vfs.Node, out *fuse.AttrOut) syscall.Errno {
	a, err := n.Attr(context.WithoutCancel(ctx))
	if err != nil {
		return s.errno("getattr", err)
	}
	fillAttr(out, a)
	return 0
}

// OpendirHandle lists the directory. The kernel keeps the listing until it is
// notified, unless the directory changes without the index.
func (d *dirNode) OpendirHandle(ctx context.Context, _ uint32) (fusenode.FileHandle, uint32, syscall.Errno) {
	ctx = context.WithoutCancel(ctx)
	a, err := d.n.Attr(ctx)
	if err != nil {
		return nil, 0, d.s.errno("opendir", err)
	}
	entries, err := d.n.Entries(ctx)
	if err != nil {
		return nil, 0, d.s.errno("readdir", err)
	}
	list := make([]fuse.DirEntry, len(entries))
	for i, e := range entries {
		list[i] = fuse.DirEntry{Name: e.Name, Ino: e.Ino, Mode: fileType(e.Mode)}
	}
	flags := uint32(0)
	if a.EntryValid > 0 {
		flags = fuse.FOPEN_CACHE_DIR
	}
	return fusenode.NewListDirStream(list), flags, 0
}

// Unlink and Rmdir are here because go-fuse takes their absence for success.
func (d *dirNode) Unlink(context.Context, string) syscall.Errno { return unix.EROFS }

// Rmdir is refused, see Unlink.
func (d *dirNode) Rmdir(context.Context, string) syscall.Errno { return unix.EROFS }

// linkNode is a symbolic link that the kernel knows.
type linkNode struct {
	fusenode.Inode
	s *Server
	n vfs.Symlink
}

var (
	_ fusenode.NodeReadlinker = (*linkNode)(nil)
	_ fusenode.NodeGetattrer  = (*linkNode)(nil)
)

func (l *linkNode) Readlink(ctx context.Context) ([]byte, syscall.Errno) {
	target, err := l.n.Readlink(context.WithoutCancel(ctx))
	if err != nil {
		return nil, l.s.errno("readlink", err)
	}
	return []byte(target), 0
}

func (l *linkNode) Getattr(ctx context.Context, _ fusenode.FileHandle, out *fuse.AttrOut) syscall.Errno {
	return l.s.getattr(ctx, l.n, out)
}
