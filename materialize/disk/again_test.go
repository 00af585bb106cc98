package disk_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"cosafs/materialize"
)

// rootStart is where the root begins on a disk of the layout, in MiB: see
// [install.System.Partition].
const rootStart = 1 + 1 + 127 + 384

// equalButForRoot fails the test unless two disks of a commit have the same bytes outside
// of the root, and their fields at the same places.
func equalButForRoot(t *testing.T, one, other materialize.BaseDisk) {
	t.Helper()
	if !slices.Equal(one.Platform, other.Platform) || !slices.Equal(one.Console, other.Console) {
		t.Errorf("fields at %v %v, again at %v %v", one.Platform, one.Console, other.Platform, other.Console)
	}
	sh(t, ".", fmt.Sprintf("cmp -n %d %s %s", rootStart<<20, one.Path, other.Path))
	// The second table follows the root.
	sh(t, ".", fmt.Sprintf("tail -c 17K %s >end; tail -c 17K %s | cmp end -; rm end", one.Path, other.Path))
}

// equalRoots fails the test unless the roots' files have the same modes, owners, links,
// sizes and times of modification, in whole seconds. Where xfs has put them may differ.
func equalRoots(t *testing.T, one, other materialize.BaseDisk) {
	t.Helper()
	a, b := xfsFiles(t, one), xfsFiles(t, other)
	if len(a) == 0 {
		t.Fatal("no files")
	}
	for f, n := range a {
		if b[f] != n {
			t.Errorf("%+v: %d, again %d", f, n, b[f])
		}
		if f.modified%1e9 != 0 {
			t.Errorf("%+v is as old as the disk", f)
		}
	}
	if len(a) != len(b) {
		t.Errorf("%d kinds of files, again %d", len(a), len(b))
	}
}

// An xfsFile is what an inode says of its file.
type xfsFile struct {
	mode               uint16
	owner, group, link uint32
	modified           uint64 // ns since 1901
	size               uint64 // 0 if no regular file's
}

// xfsFiles counts the root's equal inodes. They are found by their magic number, at
// multiples of their size, where the disk has data (xfs_format.h: struct xfs_dinode).
func xfsFiles(t *testing.T, base materialize.BaseDisk) map[xfsFile]int {
	t.Helper()
	f, err := os.Open(base.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // read only
	found, super := map[xfsFile]int{}, make([]byte, 512)
	if _, err := f.ReadAt(super, rootStart<<20); err != nil {
		t.Fatal(err)
	}
	for _, e := range base.Data {
		start := max(e.Offset, rootStart<<20)
		if e.Offset+e.Length <= start {
			continue
		}
		data := make([]byte, e.Offset+e.Length-start)
		if _, err := f.ReadAt(data, start); err != nil {
			t.Fatal(err)
		}
		for inode := range slices.Chunk(data, 512) {
			if isXFSFile(inode, super) {
				found[xfsFileOf(inode)]++
			}
		}
	}
	return found
}

// isXFSFile says whether a sector is an inode that is in use, and of a file that
// somebody could see.
func isXFSFile(inode, super []byte) bool {
	if len(inode) < 512 || !bytes.HasPrefix(inode, []byte("IN")) || !bytes.Equal(inode[160:176], super[32:48]) || inode[2] == 0 {
		return false
	}
	number := inode[152:160]
	return !bytes.Equal(number, super[64:72]) && !bytes.Equal(number, super[72:80]) // the real-time device's
}

func xfsFileOf(inode []byte) xfsFile {
	f := xfsFile{
		mode:  binary.BigEndian.Uint16(inode[2:]),
		owner: binary.BigEndian.Uint32(inode[8:]), group: binary.BigEndian.Uint32(inode[12:]), link: binary.BigEndian.Uint32(inode[16:]),
		modified: binary.BigEndian.Uint64(inode[40:]),
	}
	if f.mode&unix.S_IFMT == unix.S_IFREG {
		f.size = binary.BigEndian.Uint64(inode[56:])
	}
	return f
}
