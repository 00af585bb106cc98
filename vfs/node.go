package vfs

import (
	"context"
	"io/fs"
	"time"
)

// A Node is anything in the tree. Nodes are small values that may be made
// anew at each lookup; [Attr.Ino] and [Attr.Gen] tell which are the same.
// All methods are safe for concurrent use.
type Node interface {
	// Attr describes the node. It is free. fs.ErrNotExist after the node is gone.
	Attr(ctx context.Context) (Attr, error)
}

// A Dir is a directory.
type Dir interface {
	Node
	// Lookup finds a name, listed or not. fs.ErrNotExist where there is none.
	Lookup(ctx context.Context, name string) (Node, error)
	// Entries lists the directory in name order. The slice belongs to the tree.
	Entries(ctx context.Context) ([]Dirent, error)
}

// A File is a regular file.
type File interface {
	Node
	// Open gives the bytes, and makes them exist first where they don't: it
	// blocks for as long as that takes, or until ctx ends. ErrStale if the name
	// stands for another file by now. The caller closes the blob.
	Open(ctx context.Context) (Blob, error)
}

// A Symlink is a symbolic link.
type Symlink interface {
	Node
	// Readlink gives the target, relative to the link's directory.
	Readlink(ctx context.Context) (string, error)
}

// A Described is a file that the index knows, unlike the generated ones.
type Described interface {
	File
	// Describe gives the index's entry as it is now. It is free.
	Describe(ctx context.Context) (Entry, error)
}

// An Xattrer is a node with extended attributes.
type Xattrer interface {
	// Xattrs lists them in name order. It is free.
	Xattrs(ctx context.Context) ([]Xattr, error)
}

// An Xattr is one extended attribute.
type Xattr struct {
	Name  string // such as user.cosafs.state
	Value []byte
}

// A Dirent is one name of a listing: what can be told without asking for more.
type Dirent struct {
	Name string
	Ino  uint64
	Mode fs.FileMode // the type bits
	gen  uint64      // goes with Ino, see Attr
}

// Attr describes a node.
type Attr struct {
	// Ino is the inode number, the same at each lookup, mount and machine. Two
	// nodes are the same if Ino and Gen are; Gen guards against two names whose
	// Ino happens to be equal.
	Ino, Gen uint64
	Mode     fs.FileMode // type and permissions
	Size     int64       // bytes, exact; -1 until it is known
	Blocks   int64       // units of 512 bytes that the file takes; 0 = as many as its size
	ModTime  time.Time
	// Nlink is 1 for everything. For directories that tells find(1) not to
	// conclude from it how many subdirectories there are; files have one name.
	Nlink uint32
	// EntryValid and AttrValid are how long a door may go on believing the name
	// and the attributes without asking again, if it also follows a [Watcher].
	EntryValid, AttrValid time.Duration
	// Generated means that each open makes the content anew, so that Size is
	// only a snapshot.
	Generated bool
}

// How long facts stay true without a word from a Watcher.
const (
	// long is for what never changes under its name.
	long = time.Hour
	// short is for what changes with the index, should a notification get lost.
	short = time.Second
	// never is for what can change between two looks.
	never = 0
)
