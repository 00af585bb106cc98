package fusefs

import (
	"context"
	"strings"

	fusenode "github.com/hanwen/go-fuse/v2/fs"

	"cosafs/vfs"
)

// follow tells the kernel what changes in the index, until ctx ends.
func (s *Server) follow(ctx context.Context, w *vfs.Watcher, root *dirNode) {
	for {
		changes, err := w.Next(ctx)
		if err != nil {
			s.log.Debug("no longer following the index", "err", err)
			return
		}
		invalidate(&root.Inode, changes)
	}
}

// invalidate makes the kernel forget names that changed, and the listings of
// their directories. Results don't matter: an error says that the kernel did not
// know the name, or that the mount is gone.
func invalidate(root *fusenode.Inode, changes []vfs.Change) {
	dirs := map[*fusenode.Inode]bool{}
	for _, c := range changes {
		dir := lookup(root, c.Dir)
		if dir == nil {
			continue
		}
		dirs[dir] = true
		child := dir.GetChild(c.Name)
		switch {
		case child == nil:
			_ = dir.NotifyEntry(c.Name) // it may know that there is no such name
		case c.Gone:
			_ = dir.NotifyDelete(c.Name, child)
		default:
			_ = dir.NotifyEntry(c.Name)
			_ = child.NotifyContent(-1, 0) // attributes only
		}
	}
	for dir := range dirs {
		_ = dir.NotifyContent(0, 0)
	}
}

// lookup finds a directory among the inodes that the kernel knows; nil if it
// does not know it.
func lookup(root *fusenode.Inode, path string) *fusenode.Inode {
	dir := root
	for name := range strings.SplitSeq(path, "/") {
		if name == "" {
			continue
		}
		if dir = dir.GetChild(name); dir == nil {
			return nil
		}
	}
	return dir
}
