package vfs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"cosafs/materialize"
)

// file is a file that the index knows, whether or not its bytes exist.
type file struct {
	fs *FS
	e  Entry // as it was when the file was looked up
}

var (
	_ Described = (*file)(nil)
	_ Xattrer   = (*file)(nil)
)

// Attr gives the size as soon as anybody knows it. A file of next/ that is
// outdated keeps its last attributes, for those who still hold it open.
func (n *file) Attr(ctx context.Context) (Attr, error) {
	e := n.e
	if e.Size < 0 {
		var err error
		if e, err = n.now(ctx); err != nil {
			return Attr{}, pathError("stat", n.e.path(), err)
		}
	}
	ino, gen := n.e.identity()
	a := Attr{Ino: ino, Gen: gen, Mode: 0o444, Size: e.Size, Blocks: e.Blocks, ModTime: e.ModTime, Nlink: 1, EntryValid: n.entryValid(), AttrValid: long}
	if e.Size < 0 {
		a.AttrValid = never
	}
	return a, nil
}

// entryValid is how long the name means this file for sure.
func (n *file) entryValid() time.Duration {
	switch {
	case n.e.Build == materialize.Next:
		return never
	case n.e.Kind == "" || n.e.Size < 0:
		return short
	default:
		return long
	}
}

// now is the entry as it is now, or was last if it is outdated.
func (n *file) now(ctx context.Context) (Entry, error) {
	e, err := n.fs.lib.Refresh(ctx, n.e)
	if errors.Is(err, ErrStale) {
		return n.e, nil
	}
	return e, err
}

// Describe gives the entry with its size, state and reason as they are now.
func (n *file) Describe(ctx context.Context) (Entry, error) {
	e, err := n.now(ctx)
	return e, pathError("stat", n.e.path(), err)
}

// Open makes the bytes exist and gives them.
func (n *file) Open(ctx context.Context) (Blob, error) {
	b, err := n.open(ctx)
	return b, pathError("open", n.e.path(), err)
}

func (n *file) open(ctx context.Context) (Blob, error) {
	e, err := n.fs.lib.Refresh(ctx, n.e)
	if err != nil {
		return nil, err
	}
	if n.replaced(e) {
		return nil, ErrStale
	}
	if d := n.fs.opts.OpenDeadline; d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, d, fmt.Errorf("not ready within %v, try again later: %w", d, context.DeadlineExceeded))
		defer cancel()
	}
	b, err := n.fs.lib.Open(ctx, e)
	if err != nil && ctx.Err() != nil {
		// Says which of the two ended it: our deadline or the caller.
		return nil, context.Cause(ctx)
	}
	return b, err
}

// replaced says whether a metadata file was replaced by another one.
func (n *file) replaced(now Entry) bool {
	return n.e.Kind == "" && (now.Size != n.e.Size || !now.ModTime.Equal(n.e.ModTime))
}

// Xattrs tells what an errno and a size can't. Absent facts have no attribute.
func (n *file) Xattrs(ctx context.Context) ([]Xattr, error) {
	e, err := n.now(ctx)
	if err != nil {
		return nil, pathError("getxattr", n.e.path(), err)
	}
	var list []Xattr
	add := func(name, value string) {
		if value != "" {
			list = append(list, Xattr{"user.cosafs." + name, []byte(value)})
		}
	}
	if p, ok := n.fs.lib.Progress(e); ok {
		add("progress", strconv.FormatFloat(p, 'f', 2, 64))
	}
	add("reason", e.Reason)
	add("sha256", e.SHA256)
	if e.Size >= 0 {
		add("size", strconv.FormatInt(e.Size, 10))
	}
	add("source", e.Source)
	add("state", string(e.State))
	return list, nil
}
