package vfs

import (
	"context"
	"io/fs"
	"time"
)

// link is a symbolic link within its directory: latest, and short names.
type link struct {
	dir, name, target string
	mtime             time.Time
	valid             time.Duration
}

var _ Symlink = (*link)(nil)

// Attr is that of a link to this target: a link that moves becomes another
// inode, as when it is replaced by rename.
func (n *link) Attr(context.Context) (Attr, error) {
	ino, gen := identify("link", join(n.dir, n.name))
	_, version := identify(n.target)
	return Attr{
		Ino: ino, Gen: gen ^ version, Mode: fs.ModeSymlink | 0o777, Size: int64(len(n.target)),
		ModTime: n.mtime, Nlink: 1, EntryValid: n.valid, AttrValid: n.valid,
	}, nil
}

func (n *link) Readlink(context.Context) (string, error) { return n.target, nil }
