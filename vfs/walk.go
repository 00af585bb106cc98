package vfs

import (
	"context"
	"io/fs"
	"strings"
)

// maxLinks is how many symbolic links a path may lead through. The tree's own
// links are never chained; more than a few can only be a loop in the index.
const maxLinks = 8

// Walk finds the node at a slash-separated path below the root, "." or "" for
// the root itself. Links on the way are followed, a link at the end is not.
// A path that [fs.ValidPath] refuses is fs.ErrInvalid.
func (f *FS) Walk(ctx context.Context, path string) (Node, error) {
	n, _, err := f.walk(ctx, path, false)
	return n, err
}

// Follow is Walk, but a link at the end is followed too. It also gives the
// path without links.
func (f *FS) Follow(ctx context.Context, path string) (Node, string, error) {
	return f.walk(ctx, path, true)
}

func (f *FS) walk(ctx context.Context, path string, follow bool) (Node, string, error) {
	if path == "" {
		path = "."
	}
	if !fs.ValidPath(path) {
		return nil, "", pathError("walk", path, fs.ErrInvalid)
	}
	var node Node = f.Root()
	at, rest := "", strings.TrimPrefix(path, ".")
	if path != "." {
		rest = path
	}
	for links := 0; rest != ""; {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		next, err := step(ctx, node, join(at, name))
		if err != nil {
			return nil, "", err
		}
		if l, ok := next.(Symlink); ok && (rest != "" || follow) {
			if links++; links > maxLinks {
				return nil, "", pathError("walk", path, ErrLoop)
			}
			target, err := l.Readlink(ctx)
			if err != nil {
				return nil, "", err
			}
			// Links never leave their directory, so that node stays where it is.
			rest = join(target, rest)
			continue
		}
		node, at = next, join(at, name)
	}
	return node, at, nil
}

// step goes down one name, the last of path.
func step(ctx context.Context, node Node, path string) (Node, error) {
	d, ok := node.(Dir)
	if !ok {
		return nil, pathError("walk", path, ErrNotDir)
	}
	return d.Lookup(ctx, base(path))
}

// base is the last name of a path.
func base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
