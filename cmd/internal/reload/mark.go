package reload

import (
	"os"
	"syscall"
)

// A mark tells one state of a file from another. The zero mark is that of a
// file which isn't there.
type mark struct {
	dev, inode   uint64
	size         int64
	mtime, ctime syscall.Timespec // ctime: chmod can make a file readable, and sets no mtime
}

func marksOf(paths []string) []mark {
	marks := make([]mark, len(paths))
	for i, path := range paths {
		marks[i] = markOf(path)
	}
	return marks
}

// markOf follows links: secrets are often swapped by changing one.
func markOf(path string) mark {
	info, err := os.Stat(path)
	if err != nil {
		return mark{}
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return mark{}
	}
	return mark{dev: st.Dev, inode: st.Ino, size: st.Size, mtime: st.Mtim, ctime: st.Ctim}
}
