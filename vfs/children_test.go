package vfs_test

import (
	"slices"
	"testing"
	"time"

	"cosafs/vfs"
	"cosafs/vfs/vfstest"
)

func TestAllChildren(t *testing.T) {
	lib, err := vfstest.NewLibrary(vfstest.Fixture{Items: []vfstest.Item{
		{Path: "1/x86_64/meta.json", Text: "{}"},
		{Path: "1/x86_64/os-1-metal.x86_64.raw", Kind: "metal", Random: 9, Buildable: true},
	}}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	tree := vfs.New(lib, vfs.Options{})
	n, err := tree.Walk(t.Context(), "1/x86_64")
	if err != nil {
		t.Fatal(err)
	}
	d, ok := n.(vfs.Dir)
	if !ok {
		t.Fatalf("%T is no directory", n)
	}
	listed, err := vfs.Children(t.Context(), d)
	if got := childNames(listed); err != nil || !slices.Equal(got, []string{"meta.json"}) {
		t.Errorf("Children: %v, %v", got, err)
	}
	all, err := vfs.AllChildren(t.Context(), d)
	if got := childNames(all); err != nil || !slices.Equal(got, []string{"meta.json", "os-1-metal.x86_64.raw"}) {
		t.Errorf("AllChildren: %v, %v", got, err)
	}
	before := tree.Serial()
	lib.SetLatest("1")
	if tree.Serial() <= before {
		t.Errorf("the serial stayed %d", before)
	}
}

func childNames(list []vfs.Child) []string {
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = c.Name
	}
	return names
}

// A listing with attributes says the same as a listing and a look at each name.
func TestChildrenAgreeWithLookups(t *testing.T) {
	for _, all := range []bool{false, true} {
		f, lib := tree(t, vfs.Options{ListBuildable: all, Now: func() time.Time { return time.Unix(1e9, 0) }})
		for _, path := range []string{".", "43.1", "43.1/x86_64", "next", "next/x86_64", ".cosafs"} {
			n, err := f.Walk(t.Context(), path)
			d, ok := n.(vfs.Dir)
			if err != nil || !ok {
				t.Fatalf("Walk(%s) = %T, %v", path, n, err)
			}
			children, err := vfs.Children(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			entries, err := d.Entries(t.Context())
			if err != nil || len(entries) != len(children) {
				t.Fatalf("%s: %d children, %d entries, %v", path, len(children), len(entries), err)
			}
			for i, e := range entries {
				n, err := d.Lookup(t.Context(), e.Name)
				if err != nil {
					t.Fatal(err)
				}
				want, err := n.Attr(t.Context())
				if got := children[i]; err != nil || got.Name != e.Name || got.Attr != want {
					t.Errorf("%s/%s: child %s %+v, looked up %+v, %v", path, e.Name, got.Name, got.Attr, want, err)
				}
			}
		}
		if c := lib.Counters(); c.Opens != 0 {
			t.Errorf("listing opened %d files", c.Opens)
		}
	}
}
