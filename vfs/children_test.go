package vfs_test

import (
	"slices"
	"testing"

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
