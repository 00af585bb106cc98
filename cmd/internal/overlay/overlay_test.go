package overlay_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"cosafs/backend/backendtest"
	"cosafs/backend/dirstore"
	"cosafs/cmd/internal/overlay"
	"cosafs/cmd/internal/stream"
	"cosafs/cmd/internal/workdir"
	"cosafs/index"
	"cosafs/materialize"
	"cosafs/test/storegen"
	"cosafs/vfs"
	"cosafs/vfs/webui"
)

const arch = "x86_64"

// A world is a store of three builds, and a build directory that has the newest
// of them without its qemu image, and a build of its own.
type world struct {
	t     *testing.T
	store *storegen.Tree
	local *storegen.Tree // the build directory's own build
	work  string
	id    string // of the newest build of the store
	qemu  string // its image, by name
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, work: t.TempDir()}
	w.store = w.make(storegen.Config{Dir: filepath.Join(t.TempDir(), "store"), Builds: 3, Contents: 3})
	builds := filepath.Join(w.work, "builds")
	w.local = w.make(storegen.Config{Dir: builds, Builds: 1, Size: 100})
	w.id = string(w.store.IDs[2])
	w.qemu = filepath.Base(w.store.File(2, arch, "qemu"))
	w.ok(os.CopyFS(filepath.Join(builds, w.id), os.DirFS(filepath.Join(w.store.Dir, w.id))))
	w.ok(os.Remove(filepath.Join(builds, w.id, arch, w.qemu)))
	// The own build has the oldest one's id in storegen's counting: give it another.
	w.ok(os.Rename(filepath.Join(builds, string(w.local.IDs[0])), filepath.Join(builds, "own.1")))
	list := index.NewBuilds()
	w.ok(list.Insert(index.BuildID(w.id), arch))
	w.ok(list.Insert("own.1", arch))
	w.ok(os.WriteFile(filepath.Join(builds, "builds.json"), list.Bytes(), 0o644))
	for name, text := range map[string]string{"manifest.yaml": "repos:\n  - tiny\npackages:\n  - bash\n", "tiny.repo": "[tiny]\nname=tiny\nbaseurl=file:///nowhere\n", "image.yaml": "size: 1\n"} {
		path := filepath.Join(w.work, "src", "config", name)
		w.ok(errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)))
	}
	return w
}

func (w *world) make(cfg storegen.Config) *storegen.Tree {
	w.t.Helper()
	w.ok(os.MkdirAll(cfg.Dir, 0o755))
	tree, err := storegen.Make(w.t.Context(), cfg)
	w.ok(err)
	return tree
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// open opens the tree, with faults in front of the store, and asks the store once.
func (w *world) open(plan ...backendtest.Fault) (*overlay.Tree, *backendtest.Counts) {
	w.t.Helper()
	dir, err := dirstore.Open(dirstore.Config{Dir: w.store.Dir})
	w.ok(err)
	counted, n := backendtest.Counting(backendtest.Faulty(dir, plan...))
	wd, err := workdir.Open(w.t.Context(), workdir.Config{Dir: w.work, Engine: "dnf", Arch: arch})
	w.ok(err)
	s, err := stream.Open(w.t.Context(), stream.Config{Dir: w.t.TempDir(), Sources: []stream.Source{{Name: "store", Store: counted}}, Arch: arch})
	w.ok(err)
	tree := overlay.New(w.t.Context(), wd, s, func(ctx context.Context) (*stream.Stream, error) {
		builds, err := dirstore.Open(dirstore.Config{Dir: filepath.Join(w.work, "builds")})
		w.ok(err)
		return stream.Open(ctx, stream.Config{Dir: w.t.TempDir(), Sources: []stream.Source{{Name: "workdir", Store: builds}}, Arch: arch})
	})
	w.t.Cleanup(func() { w.ok(tree.Close(context.WithoutCancel(w.t.Context()))) })
	if err := tree.Sync(w.t.Context(), nil); (err != nil) != (len(plan) > 0) {
		w.t.Fatalf("Sync: %v", err)
	}
	return tree, n
}

// files lists a build's directory.
func (w *world) files(lib vfs.Library, id string) map[string]vfs.Entry {
	w.t.Helper()
	builds := lib.Snapshot().Builds
	i := slices.IndexFunc(builds, func(b vfs.Build) bool { return b.ID == id })
	if i < 0 {
		w.t.Fatalf("build %s is not in the tree", id)
	}
	list, err := builds[i].Arches[0].Files()
	w.ok(err)
	all := map[string]vfs.Entry{}
	for _, e := range list {
		all[e.Name] = e
	}
	return all
}

func (w *world) read(lib vfs.Library, e vfs.Entry) []byte {
	w.t.Helper()
	blob, err := lib.Open(w.t.Context(), e)
	w.ok(err)
	data := make([]byte, blob.Size())
	_, err = blob.ReadAt(w.t.Context(), data, 0)
	w.ok(err)
	w.ok(blob.Close())
	return data
}

func TestOneTree(t *testing.T) {
	w := newWorld(t)
	tree, n := w.open()
	lib := tree.Library()
	asked := n.Calls(backendtest.Stat) + n.Calls(backendtest.Open) + n.Calls(backendtest.List)
	var ids []string
	for _, b := range lib.Snapshot().Builds {
		ids = append(ids, b.ID)
	}
	slices.Sort(ids)
	want := []string{string(w.store.IDs[0]), string(w.store.IDs[1]), w.id, "own.1"}
	if slices.Sort(want); !slices.Equal(ids, want) {
		t.Errorf("builds %q; want %q", ids, want)
	}
	files := w.files(lib, w.id)
	if e := files[w.qemu]; e.State != materialize.StateRemote || e.Source != "store" {
		t.Errorf("the image that only the store has: %+v", e)
	}
	if e := files["meta.json"]; e.State != materialize.StateLocal {
		t.Errorf("meta.json: %+v", e)
	}
	if now := n.Calls(backendtest.Stat) + n.Calls(backendtest.Open) + n.Calls(backendtest.List); now != asked {
		t.Errorf("looking asked the store %d times", now-asked)
	}
}

// What the build directory records and lacks comes from the store.
func TestOpenFromTheStore(t *testing.T) {
	w := newWorld(t)
	tree, _ := w.open()
	lib := tree.Library()
	e, err := lib.Resolve(t.Context(), w.id, arch, "qemu.qcow2")
	w.ok(err)
	e, err = lib.Refresh(t.Context(), e)
	w.ok(err)
	want, err := os.ReadFile(w.store.File(2, arch, "qemu"))
	w.ok(err)
	if got := w.read(lib, e); !bytes.Equal(got, want) || e.Name != w.qemu {
		t.Errorf("%s has %d bytes, not the store's", e.Name, len(got))
	}
	plan, err := tree.Plan(t.Context(), w.id+"/"+arch+"/qemu.qcow2")
	w.ok(err)
	if plan.State != materialize.StateRemote && plan.State != materialize.StateCached {
		t.Errorf("the plan says %s: %s", plan.State, plan.Reason)
	}
	info, err := tree.Show(t.Context(), w.id, arch)
	w.ok(err)
	i := slices.IndexFunc(info.Artifacts, func(a materialize.Artifact) bool { return a.Kind == "qemu" })
	if i < 0 || info.Artifacts[i].Source != "store" || slices.Contains(info.Buildable, "qemu") {
		t.Errorf("shown: %+v", info)
	}
}

// One id with two commits is two builds: the build directory's hides the other.
func TestOtherCommitIsHidden(t *testing.T) {
	w := newWorld(t)
	path := filepath.Join(w.work, "builds", w.id, arch, "meta.json")
	data, err := os.ReadFile(path)
	w.ok(err)
	meta, err := index.ParseMeta(data)
	w.ok(err)
	w.ok(meta.Set("ostree-commit", "0123456789"))
	w.ok(os.WriteFile(path, meta.Bytes(), 0o644))
	tree, _ := w.open()
	if e, ok := w.files(tree.Library(), w.id)[w.qemu]; ok {
		t.Errorf("another build's image is listed: %+v", e)
	}
	if e, err := tree.Library().Resolve(t.Context(), w.id, arch, "qemu.qcow2"); err != nil || e.State != materialize.StateGone {
		t.Errorf("the image is %s, %v; want gone", e.State, err)
	}
}

// What could be made is not made while a store that never answered may have it.
func TestUnknownStoreBuildsNothing(t *testing.T) {
	w := newWorld(t)
	refused := backendtest.Fault{Op: backendtest.Stat, Err: fs.ErrPermission}
	tree, _ := w.open(refused)
	lib := tree.Library()
	e, err := lib.Resolve(t.Context(), "own.1", arch, "metal.raw")
	w.ok(err)
	if e.State == materialize.StateBuildable {
		t.Errorf("metal of the own build is %s: %s", e.State, e.Reason)
	}
	e, err = lib.Refresh(t.Context(), e)
	w.ok(err)
	if _, err := lib.Open(t.Context(), e); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("open: %v; want the store's refusal", err)
	}
	if jobs := lib.Jobs(); len(jobs) > 0 {
		t.Errorf("jobs were started: %+v", jobs)
	}
}

// builds.json is one document for the whole tree, and cosa's readers find every
// build in it.
func TestListOfBoth(t *testing.T) {
	w := newWorld(t)
	tree, _ := w.open()
	lib := tree.Library()
	top := lib.Snapshot().Top
	i := slices.IndexFunc(top, func(e vfs.Entry) bool { return e.Name == "builds.json" })
	e, err := lib.Refresh(t.Context(), top[i])
	w.ok(err)
	data := w.read(lib, e)
	list, err := index.ParseBuilds(data)
	w.ok(err)
	if len(list.Entries()) != 4 || list.Latest() != "own.1" || int64(len(data)) != e.Size {
		t.Errorf("%d of %d bytes: %s", len(data), e.Size, data)
	}
}

// A build that appears in the store is told to who waits for changes.
func TestChangesOfTheStore(t *testing.T) {
	w := newWorld(t)
	tree, _ := w.open()
	changed := tree.Library().Changed()
	w.ok(os.CopyFS(filepath.Join(w.store.Dir, "99.new"), os.DirFS(filepath.Join(w.store.Dir, w.id))))
	path := filepath.Join(w.store.Dir, "builds.json")
	data, err := os.ReadFile(path)
	w.ok(err)
	list, err := index.ParseBuilds(data)
	w.ok(err)
	w.ok(list.Insert("99.new", arch))
	w.ok(os.WriteFile(path, list.Bytes(), 0o644))
	w.ok(tree.Sync(t.Context(), nil))
	<-changed
	w.files(tree.Library(), "99.new")
}

func TestFindAndDiffAcross(t *testing.T) {
	w := newWorld(t)
	tree, _ := w.open()
	found, err := tree.Find(t.Context(), webui.FindRequest{Kind: "qemu"}, nil)
	w.ok(err)
	places := map[string]string{}
	for _, f := range found {
		places[f.Build] = f.Source
	}
	if len(found) != 4 || places["own.1"] != "workdir" || places[string(w.store.IDs[0])] != "store" {
		t.Errorf("found %v", places)
	}
	d, err := tree.Diff(t.Context(), webui.DiffRequest{A: string(w.store.IDs[0]), B: "own.1"})
	w.ok(err)
	if d.A.Source != "store" || d.B.Source != "workdir" || len(d.Artifacts) == 0 {
		t.Errorf("difference: %+v", d)
	}
}
