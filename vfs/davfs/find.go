package davfs

import (
	"context"
	"strings"

	"cosafs/vfs"
)

// facts says which facts of a resource have to be looked up beyond its attributes.
type facts struct{ entry, xattrs bool }

func (w *wish) facts() facts {
	var f facts
	for _, p := range w.known {
		f.entry = f.entry || p.name.Local == "getetag"
		f.xattrs = f.xattrs || p.name.Space == cosafsSpace
	}
	return f
}

// find describes what is at path. A link stands for what it leads to, since
// WebDAV has none.
func (d *Door) find(ctx context.Context, path string, want facts) (resource, vfs.Node, error) {
	n, err := d.tree.Walk(ctx, path)
	if err != nil {
		return resource{}, nil, err
	}
	a, err := n.Attr(ctx)
	if err != nil {
		return resource{}, nil, err
	}
	return d.describe(ctx, path, n, a, want)
}

// describe gives the facts of a node, which it also follows if it is a link.
func (d *Door) describe(ctx context.Context, path string, n vfs.Node, a vfs.Attr, want facts) (resource, vfs.Node, error) {
	r := resource{path: path, name: base(path), attr: a}
	var err error
	if l, ok := n.(vfs.Symlink); ok {
		if r.target, err = l.Readlink(ctx); err == nil {
			n, r.attr, err = d.follow(ctx, path)
		}
	}
	if f, ok := n.(vfs.Described); ok && want.entry && err == nil {
		r.entry, err = f.Describe(ctx)
		r.known = err == nil
	}
	if x, ok := n.(vfs.Xattrer); ok && want.xattrs && err == nil {
		r.xattrs, err = x.Xattrs(ctx)
	}
	return r, n, err
}

func (d *Door) follow(ctx context.Context, path string) (vfs.Node, vfs.Attr, error) {
	n, _, err := d.tree.Follow(ctx, path)
	if err != nil {
		return nil, vfs.Attr{}, err
	}
	a, err := n.Attr(ctx)
	return n, a, err
}

// base is the last name of a path.
func base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
