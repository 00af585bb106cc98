package vfs

import (
	"bytes"
	"context"
	"os"
	"time"
)

// text is a file whose content is made at each open.
type text struct {
	path  string
	mtime func() time.Time
	make  func() ([]byte, error) // safe for concurrent use
}

var _ File = (*text)(nil)

func textDirent(path string) Dirent {
	ino, _ := identify("text", path)
	return Dirent{Name: base(path), Ino: ino}
}

// Attr makes the content to tell its size.
func (n *text) Attr(context.Context) (Attr, error) {
	b, err := n.make()
	if err != nil {
		return Attr{}, pathError("stat", n.path, err)
	}
	ino, gen := identify("text", n.path)
	return Attr{Ino: ino, Gen: gen, Mode: 0o444, Size: int64(len(b)), ModTime: n.mtime(), Nlink: 1, Generated: true}, nil
}

func (n *text) Open(context.Context) (Blob, error) {
	b, err := n.make()
	if err != nil {
		return nil, pathError("open", n.path, err)
	}
	return &textBlob{*bytes.NewReader(b)}, nil
}

// textBlob is an open text: its content as it was when it was opened.
type textBlob struct{ r bytes.Reader }

var _ Blob = (*textBlob)(nil)

func (b *textBlob) ReadAt(_ context.Context, p []byte, off int64) (int, error) {
	return b.r.ReadAt(p, off)
}

func (b *textBlob) Size() int64                 { return b.r.Size() }
func (b *textBlob) LocalFile() (*os.File, bool) { return nil, false }
func (b *textBlob) Close() error                { return nil }
