package vfs

import (
	"io/fs"
	"time"
)

// Info gives attributes as an fs.FileInfo, for doors that speak io/fs. The
// name may be a path. An unknown size is 0.
func Info(path string, a Attr) fs.FileInfo { return info{base(path), a} }

type info struct {
	name string
	attr Attr
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return max(i.attr.Size, 0) }
func (i info) Mode() fs.FileMode  { return i.attr.Mode }
func (i info) ModTime() time.Time { return i.attr.ModTime }
func (i info) IsDir() bool        { return i.attr.Mode.IsDir() }
func (i info) Sys() any           { return i.attr }
