package storegen_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"cosafs/index"
	"cosafs/test/storegen"
)

// A tree is what cosa would have left: documents that pass its schema, files that
// are what they record, the newest build first.
func TestMake(t *testing.T) {
	tree, err := storegen.Make(t.Context(), storegen.Config{
		Dir: t.TempDir(), Builds: 25, Arches: []index.Arch{"x86_64", "s390x"}, Contents: 3, PackageEvery: 5,
	})
	if err != nil {
		t.Fatal(err)
	}
	list, err := index.ParseBuilds(read(t, filepath.Join(tree.Dir, "builds.json")))
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Entries()) != 25 || list.Latest() != tree.IDs[24] || len(list.Problems()) != 0 {
		t.Errorf("builds.json has %d builds, latest %s, problems %v", len(list.Entries()), list.Latest(), list.Problems())
	}
	for n, id := range tree.IDs {
		for _, arch := range list.Arches(id) {
			checkBuild(t, tree, n, arch)
		}
	}
	first, fourth := read(t, tree.File(0, "x86_64", "qemu")), read(t, tree.File(3, "x86_64", "qemu"))
	if !bytes.Equal(first, fourth) || bytes.Equal(first, read(t, tree.File(1, "x86_64", "qemu"))) {
		t.Error("contents don't repeat after three builds, or at once")
	}
}

func checkBuild(t *testing.T, tree *storegen.Tree, n int, arch index.Arch) {
	t.Helper()
	dir := filepath.Join(tree.Dir, string(tree.IDs[n]), string(arch))
	meta, err := index.ParseMeta(read(t, filepath.Join(dir, "meta.json")))
	if err != nil {
		t.Fatal(err)
	}
	if problems := meta.Validate(); problems != nil || meta.BuildID() != tree.IDs[n] || len(meta.Images()) != 2 {
		t.Errorf("meta.json of %s has %d images and %v", tree.IDs[n], len(meta.Images()), problems)
	}
	for _, im := range meta.Images() {
		data := read(t, filepath.Join(dir, im.Path))
		if fmt.Sprintf("%x", sha256.Sum256(data)) != im.SHA256 || int64(len(data)) != im.Size {
			t.Errorf("%s is not what is recorded", im.Path)
		}
	}
	commit, err := index.ParseCommitMeta(read(t, filepath.Join(dir, "commitmeta.json")))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(commit.Packages(), storegen.Packages(n, 5, arch)) {
		t.Errorf("%s has other packages than it should", tree.IDs[n])
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// BenchmarkMake makes the tree of the largest test.
func BenchmarkMake(b *testing.B) {
	for b.Loop() {
		_, err := storegen.Make(b.Context(), storegen.Config{
			Dir: b.TempDir(), Builds: 10_000, Arches: []index.Arch{"x86_64", "aarch64", "ppc64le", "s390x"}})
		if err != nil {
			b.Fatal(err)
		}
	}
}
