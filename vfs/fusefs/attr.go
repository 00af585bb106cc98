package fusefs

import (
	"io/fs"
	"os"

	fusenode "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"cosafs/vfs"
)

// sector is the unit of st_blocks.
const sector = 512

// fill translates attributes. A size that nobody knows yet is 0, with no
// validity, so that the kernel asks again at the first read. Blocks cover the
// whole size, but for files that tell their holes: less tells cp to ask for them.
func fill(out *fuse.Attr, a vfs.Attr) {
	size := uint64(max(a.Size, 0))
	out.Ino, out.Size = a.Ino, size
	out.Mode = fileType(a.Mode) | uint32(a.Mode.Perm())
	out.Nlink = a.Nlink
	out.Blksize, out.Blocks = 4096, (size+sector-1)/sector
	if a.Blocks > 0 {
		out.Blocks = uint64(a.Blocks)
	}
	out.Owner = fuse.Owner{Uid: uint32(os.Getuid()), Gid: uint32(os.Getgid())}
	out.SetTimes(&a.ModTime, &a.ModTime, &a.ModTime)
}

func fillEntry(out *fuse.EntryOut, a vfs.Attr) {
	fill(&out.Attr, a)
	out.SetEntryTimeout(a.EntryValid)
	out.SetAttrTimeout(a.AttrValid)
}

func fillAttr(out *fuse.AttrOut, a vfs.Attr) {
	fill(&out.Attr, a)
	out.SetTimeout(a.AttrValid)
}

func stable(a vfs.Attr) fusenode.StableAttr {
	return fusenode.StableAttr{Mode: fileType(a.Mode), Ino: a.Ino, Gen: a.Gen}
}

func fileType(m fs.FileMode) uint32 {
	switch {
	case m.IsDir():
		return unix.S_IFDIR
	case m&fs.ModeSymlink != 0:
		return unix.S_IFLNK
	default:
		return unix.S_IFREG
	}
}
