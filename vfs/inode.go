package vfs

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"

	"cosafs/materialize"
)

// identify hashes what makes a node the same node into its inode number and
// generation. Being a hash, the number is the same after a remount and on other
// machines. 128 bits together never collide; the numbers alone might, once in
// a very large tree, which is harmless as long as doors compare both.
func identify(parts ...string) (ino, gen uint64) {
	buf := make([]byte, 0, 256)
	for _, p := range parts {
		buf = binary.AppendUvarint(buf, uint64(len(p)))
		buf = append(buf, p...)
	}
	sum := sha256.Sum256(buf)
	ino, gen = binary.LittleEndian.Uint64(sum[:8]), binary.LittleEndian.Uint64(sum[8:16])
	// Small numbers and -1 are special to FUSE, the highest bit to some 32-bit and
	// signed readers of st_ino.
	return ino&^(1<<63) | 1<<62, gen
}

// identity is that of a file. What can change under a name without being the
// same file becomes a new inode: files of next/ by their inputs, metadata
// files, which cosa replaces by rename, by size and time; artifacts that were made
// again by their content.
func (e *Entry) identity() (ino, gen uint64) {
	version := e.Version
	switch {
	case e.Build == materialize.Next:
		version = e.Inputs + e.Version
	case e.Kind == "":
		version = strconv.FormatInt(e.Size, 10) + "@" + strconv.FormatInt(e.ModTime.UnixNano(), 10)
	}
	return identify("file", e.Build, e.Arch, e.Name, version)
}

// path is where the file lies below the root.
func (e *Entry) path() string { return join(e.Build, e.Arch, e.Name) }
