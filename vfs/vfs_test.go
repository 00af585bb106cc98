package vfs_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"cosafs/materialize"
	"cosafs/vfs"
	"cosafs/vfs/vfstest"
)

// tree gives the default fixture as a tree, with the library behind.
func tree(tb testing.TB, opts vfs.Options) (*vfs.FS, *vfstest.Library) {
	tb.Helper()
	lib, err := vfstest.NewLibrary(vfstest.Default(tb), tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	return vfs.New(lib, opts), lib
}

func TestFSTest(t *testing.T) {
	f, _ := tree(t, vfs.Options{Now: func() time.Time { return time.Unix(1e9, 0) }})
	err := fstest.TestFS(vfstest.Std(t.Context, f),
		"builds.json", "43.1/x86_64/os-43.1-qemu.x86_64.qcow2", "43.1/x86_64/os-43.1-empty.x86_64.raw", ".cosafs/status")
	if err != nil {
		t.Error(err)
	}
}

func TestListBuildable(t *testing.T) {
	f, lib := tree(t, vfs.Options{ListBuildable: true})
	for dir, want := range map[string]string{"43.1/x86_64": "os-43.1-metal.x86_64.raw", "next/x86_64": "qemu.qcow2"} {
		names, err := vfstest.InProcess(t.Context, f).List(dir)
		if err != nil || !slices.Contains(names, want) || !slices.IsSorted(names) {
			t.Errorf("List(%s) = %q, %v, want %s among them", dir, names, err, want)
		}
	}
	if c := lib.Counters(); c.Opens != 0 {
		t.Errorf("listing opened %d files", c.Opens)
	}
}

// TestInodeNumbersStayTheSame: two trees over the same facts agree.
func TestInodeNumbersStayTheSame(t *testing.T) {
	a, _ := tree(t, vfs.Options{})
	b, _ := tree(t, vfs.Options{})
	for _, path := range []string{".", "latest", "43.1", "43.1/x86_64", "next/x86_64/qemu.qcow2", "builds.json", ".cosafs/status"} {
		one, err := vfstest.InProcess(t.Context, a).Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if two, err := vfstest.InProcess(t.Context, b).Stat(path); err != nil || two.Ino != one.Ino || one.Ino < 2 {
			t.Errorf("%s: inode %d, then %d, %v", path, one.Ino, two.Ino, err)
		}
	}
}

// A replacing library says that its images took the place of others.
type replacing struct {
	*vfstest.Library
	version string
}

func (l replacing) Snapshot() *vfs.Snapshot {
	s := *l.Library.Snapshot()
	s.Builds = slices.Clone(s.Builds)
	for i := range s.Builds {
		s.Builds[i].Arches = slices.Clone(s.Builds[i].Arches)
		for j := range s.Builds[i].Arches {
			a := &s.Builds[i].Arches[j]
			files, err := a.Files()
			files = slices.Clone(files)
			for k := range files {
				files[k].Version = l.version
			}
			a.Files = func() ([]vfs.Entry, error) { return files, err }
		}
	}
	return &s
}

func (l replacing) Resolve(ctx context.Context, build, arch, name string) (vfs.Entry, error) {
	e, err := l.Library.Resolve(ctx, build, arch, name)
	e.Version = l.version
	return e, err
}

// TestReplacedArtifactIsAnotherInode: what took another one's place shares nothing
// with it that a kernel keeps.
func TestReplacedArtifactIsAnotherInode(t *testing.T) {
	_, lib := tree(t, vfs.Options{})
	for path, want := range map[string]int{"43.1/x86_64/os-43.1-qemu.x86_64.qcow2": 2, "next/x86_64/qemu.qcow2": 2, "43.1": 1} {
		seen := map[uint64]bool{}
		for _, version := range []string{"", "other", ""} {
			st, err := vfstest.InProcess(t.Context, vfs.New(replacing{lib, version}, vfs.Options{})).Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			seen[st.Ino] = true
		}
		if len(seen) != want {
			t.Errorf("%s: %d inodes, want %d", path, len(seen), want)
		}
	}
}

// TestEntriesAgreeWithLookup: what a listing says of a name holds.
func TestEntriesAgreeWithLookup(t *testing.T) {
	f, _ := tree(t, vfs.Options{ListBuildable: true})
	for _, path := range []string{".", "43.1", "43.1/x86_64", "next", "next/x86_64", ".cosafs"} {
		n, err := f.Walk(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		dir, ok := n.(vfs.Dir)
		if !ok {
			t.Fatalf("%s is %T", path, n)
		}
		entries, err := dir.Entries(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			checkEntry(t, dir, e)
		}
	}
}

func checkEntry(t *testing.T, dir vfs.Dir, e vfs.Dirent) {
	t.Helper()
	n, err := dir.Lookup(t.Context(), e.Name)
	if err != nil {
		t.Errorf("Lookup(%s): %v", e.Name, err)
		return
	}
	if a, err := n.Attr(t.Context()); err != nil || a.Ino != e.Ino || a.Mode.Type() != e.Mode {
		t.Errorf("%s: attributes %+v, %v, listed as %+v", e.Name, a, err, e)
	}
	kinds := 0
	for _, is := range []bool{isA[vfs.Dir](n), isA[vfs.File](n), isA[vfs.Symlink](n)} {
		if is {
			kinds++
		}
	}
	if kinds != 1 {
		t.Errorf("%s is %d kinds of node at once", e.Name, kinds)
	}
}

func isA[T any](n vfs.Node) bool {
	_, ok := n.(T)
	return ok
}

// TestOpenDeadline: an open that takes too long ends, with a reason.
func TestOpenDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, lib := tree(t, vfs.Options{OpenDeadline: time.Minute})
		begin := time.Now()
		_, err := openPath(t, f, "43.1/x86_64/os-43.1-slow.x86_64.raw")
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Minute {
			t.Errorf("Open: %v after %v, want the deadline after a minute", err, time.Since(begin))
		}
		lib.OpenGate("slow")
		b, err := openPath(t, f, "43.1/x86_64/os-43.1-slow.x86_64.raw")
		if err != nil || b.Size() != 5000 {
			t.Fatalf("Open afterwards: %v", err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
}

func openPath(t *testing.T, f *vfs.FS, path string) (vfs.Blob, error) {
	t.Helper()
	n, err := f.Walk(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	file, ok := n.(vfs.File)
	if !ok {
		t.Fatalf("%s is %T", path, n)
	}
	return file.Open(t.Context())
}

func TestOpenOfOutdatedNext(t *testing.T) {
	f, lib := tree(t, vfs.Options{})
	n, err := f.Walk(t.Context(), "next/x86_64/qemu.qcow2")
	if err != nil {
		t.Fatal(err)
	}
	if err := lib.Put(vfstest.Item{Path: "next/x86_64/qemu.qcow2", Kind: "qemu", Buildable: true, Inputs: "new"}); err != nil {
		t.Fatal(err)
	}
	file, ok := n.(vfs.File)
	if !ok {
		t.Fatalf("%T", n)
	}
	if _, err := file.Open(t.Context()); !errors.Is(err, vfs.ErrStale) {
		t.Errorf("Open of a file whose inputs changed: %v, want ErrStale", err)
	}
	if a, err := n.Attr(t.Context()); err != nil || a.EntryValid != 0 || a.AttrValid != 0 {
		t.Errorf("Attr = %+v, %v, want attributes without validity", a, err)
	}
}

func TestFailureKeepsClassAndHint(t *testing.T) {
	f, _ := tree(t, vfs.Options{})
	_, err := openPath(t, f, "43.1/x86_64/os-43.1-broken.x86_64.ova")
	class, hint := materialize.ClassOf(err)
	var path *fs.PathError
	if class != materialize.ClassConfig || hint != "mend it" || !errors.As(err, &path) {
		t.Errorf("Open: %v (%s, %q), want a path error with class config and a hint", err, class, hint)
	}
}

// TestOddBuilds: an index with names that no tree can hold shows the others.
func TestOddBuilds(t *testing.T) {
	lib, err := vfstest.NewLibrary(vfstest.Fixture{Items: []vfstest.Item{
		{Path: "../x86_64/meta.json"}, {Path: "latest/x86_64/meta.json"}, {Path: ".cosafs/x86_64/meta.json"},
		{Path: "good/x86_64/.."}, {Path: "good/x86_64/a/b"}, {Path: "good/x86_64/meta.json", Text: "{}"},
	}}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a := vfstest.InProcess(t.Context, vfs.New(lib, vfs.Options{}))
	if names, err := a.List("."); err != nil || strings.Join(names, " ") != ".cosafs good" {
		t.Errorf("List(.) = %q, %v, want .cosafs and good", names, err)
	}
	if names, err := a.List("good/x86_64"); err != nil || strings.Join(names, " ") != "meta.json" {
		t.Errorf("List(good/x86_64) = %q, %v, want meta.json", names, err)
	}
	if _, err := a.Stat("latest"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat(latest) = %v, want fs.ErrNotExist", err)
	}
}

func TestWatch(t *testing.T) {
	f, lib := tree(t, vfs.Options{})
	w := f.Watch()
	for _, c := range []struct {
		do   func() error
		want []vfs.Change
	}{
		{func() error { lib.SetLatest("43.1"); return nil }, []vfs.Change{{Name: "latest"}}},
		{func() error { return lib.Put(vfstest.Item{Path: "43.3/x86_64/meta.json"}) }, []vfs.Change{{Name: "43.3"}}},
		{func() error { return lib.Put(vfstest.Item{Path: "43.3/x86_64/meta.json", Text: "more"}) }, []vfs.Change{{Dir: "43.3/x86_64", Name: "meta.json"}}},
		{func() error { return lib.Put(vfstest.Item{Path: "43.3/s390x/meta.json"}) }, []vfs.Change{{Dir: "43.3", Name: "s390x"}}},
		{func() error { lib.Remove("43.3/s390x/"); return nil }, []vfs.Change{{Dir: "43.3", Name: "s390x", Gone: true}}},
		{func() error { lib.Remove("43.3/"); return nil }, []vfs.Change{{Name: "43.3", Gone: true}}},
	} {
		if err := c.do(); err != nil {
			t.Fatal(err)
		}
		if got, err := w.Next(t.Context()); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("Next = %+v, %v, want %+v", got, err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Next after the end: %v", err)
	}
}

// TestTenThousandBuilds: size costs memory, not time for each look.
func TestTenThousandBuilds(t *testing.T) {
	const builds = 10000
	var f vfstest.Fixture
	for i := range builds {
		f.Items = append(f.Items, vfstest.Item{Path: fmt.Sprintf("43.%05d/x86_64/meta.json", i)})
	}
	lib, err := vfstest.NewLibrary(f, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	tree := vfs.New(lib, vfs.Options{})
	a := vfstest.InProcess(t.Context, tree)
	if names, err := a.List("."); err != nil || len(names) != builds+1 {
		t.Fatalf("List(.) = %d names, %v", len(names), err)
	}
	perList := testing.AllocsPerRun(10, func() {
		if _, err := tree.Root().Entries(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if perList > 10 {
		t.Errorf("a listing allocates %v times, want it made once a snapshot", perList)
	}
	if _, err := a.Stat("43.09999/x86_64/meta.json"); err != nil {
		t.Error(err)
	}
}

// FuzzLookup: no name makes the tree panic or leads out of it.
func FuzzLookup(f *testing.F) {
	for _, s := range []string{"", ".", "..", "/", "43.1/../43.2", "43.1/x86_64/qemu.qcow2", "latest/x86_64/meta.json", "next/x86_64/..", "a\x00b", "latest/latest", ".cosafs/jobs/../status"} {
		f.Add(s)
	}
	tree, lib := tree(f, vfs.Options{})
	f.Fuzz(func(t *testing.T, path string) {
		n, at, err := tree.Follow(t.Context(), path)
		if err == nil {
			if _, err := n.Attr(t.Context()); err != nil {
				t.Errorf("Attr of %q: %v", path, err)
			}
			if strings.Contains("/"+at+"/", "/../") || strings.HasPrefix(at, "/") {
				t.Errorf("Follow(%q) leads to %q", path, at)
			}
		}
		for _, dir := range []string{".", "43.1", "43.1/x86_64", "next", "next/x86_64", ".cosafs", ".cosafs/jobs"} {
			lookupIn(t, tree, dir, path)
		}
		if c := lib.Counters(); c.Opens != 0 {
			t.Errorf("looking up %q opened %d files", path, c.Opens)
		}
	})
}

func lookupIn(t *testing.T, tree *vfs.FS, dir, name string) {
	t.Helper()
	n, err := tree.Walk(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	d, ok := n.(vfs.Dir)
	if !ok {
		t.Fatalf("%s is %T", dir, n)
	}
	bad := name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00")
	if _, err := d.Lookup(t.Context(), name); bad && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Lookup(%q) in %s: %v, want fs.ErrNotExist", name, dir, err)
	}
}
