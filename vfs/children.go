package vfs

import (
	"context"
	"errors"
	"io/fs"
)

// A Child is a listed name with what it stands for.
type Child struct {
	Name string
	Node Node
	Attr Attr
}

// A lister is a directory that gives all its children in one look at the index.
type lister interface {
	// With all it also gives what does not exist yet but could be made.
	children(ctx context.Context, all bool) ([]Child, error)
}

var _ lister = (*archDir)(nil)

// Children lists d in name order with the attributes of everything in it, for
// doors whose listings have them. It is free. What disappears meanwhile is left out.
func Children(ctx context.Context, d Dir) ([]Child, error) {
	if l, ok := d.(lister); ok {
		return l.children(ctx, false)
	}
	return lookUp(ctx, d)
}

// AllChildren is Children with what does not exist yet but could be made, whatever
// the tree's [Options] say: for people, who know that opening it builds it.
func AllChildren(ctx context.Context, d Dir) ([]Child, error) {
	if l, ok := d.(lister); ok {
		return l.children(ctx, true)
	}
	return lookUp(ctx, d)
}

func lookUp(ctx context.Context, d Dir) ([]Child, error) {
	entries, err := d.Entries(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]Child, 0, len(entries))
	for _, e := range entries {
		if list, err = lookUpChild(ctx, list, d, e.Name); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// lookUpChild appends the child of a name, unless it is gone.
func lookUpChild(ctx context.Context, list []Child, d Dir, name string) ([]Child, error) {
	n, err := d.Lookup(ctx, name)
	if err == nil {
		list, err = appendChild(ctx, list, name, n)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return list, err
}

func appendChild(ctx context.Context, list []Child, name string, n Node) ([]Child, error) {
	a, err := n.Attr(ctx)
	if err != nil {
		return list, err
	}
	return append(list, Child{name, n, a}), nil
}

func (d *archDir) children(ctx context.Context, all bool) ([]Child, error) {
	entries, err := d.listed(ctx, all || d.fs.opts.ListBuildable)
	if err != nil {
		return nil, err
	}
	list := make([]Child, 0, len(entries))
	for _, e := range entries {
		if list, err = appendChild(ctx, list, e.Name, &file{d.fs, e}); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return list, nil
}
