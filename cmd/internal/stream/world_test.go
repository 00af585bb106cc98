package stream_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"cosafs/backend"
	"cosafs/backend/backendtest"
	"cosafs/backend/memstore"
	"cosafs/cmd/internal/stream"
	"cosafs/index"
	"cosafs/vfs"
	"cosafs/vfs/vfstest"
)

// Names that many tests use.
const (
	x86  = "x86_64"
	arm  = "aarch64"
	name = "fedora-coreos"
)

// An image is an artifact of a build to be put into a store.
type image struct {
	kind   string
	file   string // "" = as cosa names it
	data   []byte
	raw    []byte // what data holds compressed, nil if it doesn't
	noSize bool   // meta.json does not record it
	noRaw  bool   // meta.json records nothing of raw
	absent bool   // recorded only
}

// A world is a store that a test fills.
type world struct {
	*memstore.Store
	t    *testing.T
	list *index.Builds
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{Store: &memstore.Store{}, t: t, list: index.NewBuilds()}
}

// put stores an object.
func (w *world) put(key string, data []byte) {
	w.t.Helper()
	src := backend.Source{ReaderAt: bytes.NewReader(data), Size: int64(len(data))}
	if _, err := w.Put(w.t.Context(), backend.Key(key), src, backend.Cond{}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) remove(key string) {
	w.t.Helper()
	if err := w.Delete(w.t.Context(), backend.Key(key), backend.Cond{}); err != nil {
		w.t.Fatal(err)
	}
}

// build stores a build and lists it.
func (w *world) build(id, arch string, images ...image) {
	w.t.Helper()
	w.files(id, arch, images...)
	if err := w.list.Insert(index.BuildID(id), index.Arch(arch)); err != nil {
		w.t.Fatal(err)
	}
	w.put("builds.json", w.list.Bytes())
}

// files stores a build's files.
func (w *world) files(id, arch string, images ...image) {
	w.t.Helper()
	m := index.NewMeta()
	set := func(key string, value any) {
		if err := m.Set(key, value); err != nil {
			w.t.Fatal(err)
		}
	}
	set("buildid", id)
	set("name", name)
	set("ostree-commit", digest([]byte(id+arch)))
	set("ostree-version", id)
	set("ostree-timestamp", "2025-01-02T03:04:05Z")
	set("coreos-assembler.build-timestamp", "2025-01-02T03:04:05Z")
	set("coreos-assembler.basearch", arch)
	for _, im := range images {
		file := im.name(id, arch)
		rec := index.Image{Path: file, SHA256: digest(im.data), Size: int64(len(im.data)), UncompressedSize: -1}
		if im.noSize {
			rec.Size = -1
		}
		if im.raw != nil && !im.noRaw {
			rec.UncompressedSHA256, rec.UncompressedSize = digest(im.raw), int64(len(im.raw))
		}
		if err := m.SetImage(index.Kind(im.kind), rec); err != nil {
			w.t.Fatal(err)
		}
		if !im.absent {
			w.put(id+"/"+arch+"/"+file, im.data)
		}
	}
	w.put(id+"/"+arch+"/commitmeta.json", commitMeta(w.t, id))
	w.put(id+"/"+arch+"/meta.json", m.Bytes())
}

func (im image) name(id, arch string) string {
	if im.file != "" {
		return im.file
	}
	file, ok := index.FileName(index.Kind(im.kind), name, index.BuildID(id), index.Arch(arch))
	if !ok {
		panic("no name for " + im.kind)
	}
	return file
}

// commitMeta is a build's commitmeta.json: one package has the build's version.
func commitMeta(t *testing.T, id string) []byte {
	t.Helper()
	data, err := json.Marshal(map[string]any{
		"version": id,
		"rpmostree.rpmdb.pkglist": [][]string{
			{"bash", "0", "5.2", "1", x86}, {"kernel", "0", id, "1", x86},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func qemu(data []byte) image { return image{kind: "qemu", data: data} }

// qemuFile is the name of a build's qemu image.
func qemuFile(id, arch string) string { return image{kind: "qemu"}.name(id, arch) }

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// random gives n bytes that depend on the seed alone.
func random(seed byte, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b) // never fails
	return b
}

// A noList store is one that can't list, as a web server.
type noList struct{ backend.Store }

func (s noList) Properties() backend.Properties {
	p := s.Store.Properties()
	p.Lists = false
	return p
}

func (s noList) List(context.Context, backend.Key) iter.Seq2[backend.Info, error] {
	return func(yield func(backend.Info, error) bool) { yield(backend.Info{}, errors.ErrUnsupported) }
}

// A tree is a stream with what a test asks of it.
type tree struct {
	*stream.Stream
	t   *testing.T
	fs  *vfs.FS
	cfg stream.Config
}

// open opens a stream over stores, named s0, s1 and so on.
func open(t *testing.T, stores ...backend.Store) *tree {
	t.Helper()
	cfg := stream.Config{Dir: t.TempDir(), Arch: x86}
	for i, s := range stores {
		cfg.Sources = append(cfg.Sources, stream.Source{Name: fmt.Sprintf("mem://s%d", i), Store: s})
	}
	return openConfig(t, cfg)
}

// openConfig opens a stream that is closed with the test.
func openConfig(t *testing.T, cfg stream.Config) *tree {
	t.Helper()
	s, err := stream.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	tr := &tree{Stream: s, t: t, fs: vfs.New(s.Library(), vfs.Options{}), cfg: cfg}
	t.Cleanup(tr.close)
	return tr
}

// close closes the stream, once.
func (tr *tree) close() {
	if tr.Stream == nil {
		return
	}
	if err := tr.Close(context.Background()); err != nil { // t.Context has ended in a cleanup
		tr.t.Errorf("Close: %v", err)
	}
	tr.Stream = nil
}

// sync asks the stores.
func (tr *tree) sync() {
	tr.t.Helper()
	if err := tr.Sync(tr.t.Context(), nil); err != nil {
		tr.t.Fatalf("Sync: %v", err)
	}
}

// names lists a directory.
func (tr *tree) names(path string) []string {
	tr.t.Helper()
	n, _, err := tr.fs.Follow(tr.t.Context(), path)
	if err != nil {
		tr.t.Fatal(err)
	}
	dir, ok := n.(vfs.Dir)
	if !ok {
		tr.t.Fatalf("%s is no directory", path)
	}
	entries, err := dir.Entries(tr.t.Context())
	if err != nil {
		tr.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name)
	}
	return names
}

// wantNames checks what a directory lists.
func (tr *tree) wantNames(path string, want ...string) {
	tr.t.Helper()
	slices.Sort(want)
	if got := tr.names(path); !slices.Equal(got, want) {
		tr.t.Errorf("%s lists %q; want %q", path, got, want)
	}
}

// openFile opens a file.
func (tr *tree) openFile(path string) (vfs.Blob, error) {
	n, _, err := tr.fs.Follow(tr.t.Context(), path)
	if err != nil {
		return nil, err
	}
	f, ok := n.(vfs.File)
	if !ok {
		return nil, vfs.ErrIsDir
	}
	return f.Open(tr.t.Context())
}

// read reads a whole file.
func (tr *tree) read(path string) ([]byte, error) {
	b, err := tr.openFile(path)
	if err != nil {
		return nil, err
	}
	data := make([]byte, b.Size())
	n, err := b.ReadAt(tr.t.Context(), data, 0)
	if n == len(data) && errors.Is(err, io.EOF) {
		err = nil
	}
	return data[:n], errors.Join(err, b.Close())
}

// want checks a file's bytes.
func (tr *tree) want(path string, want []byte) {
	tr.t.Helper()
	got, err := tr.read(path)
	if err != nil || !bytes.Equal(got, want) {
		tr.t.Errorf("read %s: %d bytes, %v; want %d bytes", path, len(got), err, len(want))
	}
}

// wantErr checks that a file can't be read, and why.
func (tr *tree) wantErr(path string, want error) {
	tr.t.Helper()
	_ = tr.failure(path, want) // checked there
}

// failure gives the error of reading a file, which must be want.
func (tr *tree) failure(path string, want error) error {
	tr.t.Helper()
	_, err := tr.read(path)
	if !errors.Is(err, want) {
		tr.t.Errorf("read %s: %v; want %v", path, err, want)
	}
	return err
}

// attr describes a file.
func (tr *tree) attr(path string) vfs.Attr {
	tr.t.Helper()
	n, _, err := tr.fs.Follow(tr.t.Context(), path)
	if err != nil {
		tr.t.Fatal(err)
	}
	a, err := n.Attr(tr.t.Context())
	if err != nil {
		tr.t.Fatal(err)
	}
	return a
}

// xattr gives one of a file's attributes, "" if it has none of that name.
func (tr *tree) xattr(path, name string) string {
	tr.t.Helper()
	n, _, err := tr.fs.Follow(tr.t.Context(), path)
	if err != nil {
		tr.t.Fatal(err)
	}
	x, ok := n.(vfs.Xattrer)
	if !ok {
		tr.t.Fatalf("%s has no attributes", path)
	}
	list, err := x.Xattrs(tr.t.Context())
	if err != nil {
		tr.t.Fatal(err)
	}
	for _, a := range list {
		if a.Name == "user.cosafs."+name {
			return string(a.Value)
		}
	}
	return ""
}

// wantXattr checks one of a file's attributes.
func (tr *tree) wantXattr(path, name, want string) {
	tr.t.Helper()
	if got := tr.xattr(path, name); got != want {
		tr.t.Errorf("%s of %s = %q; want %q", name, path, got, want)
	}
}

// wantCached checks that a file that was read is in the cache, as soon as its
// bytes are verified.
func (tr *tree) wantCached(path string) {
	tr.t.Helper()
	vfstest.Eventually(tr.t, path+" is cached", func() bool { return tr.xattr(path, "state") == "cached" })
}

// calls counts everything that a store was asked.
func calls(c *backendtest.Counts) int {
	return c.Calls(backendtest.Stat) + c.Calls(backendtest.Open) + c.Calls(backendtest.List)
}

// all is the range of a whole object.
var all = backend.Range{Len: backend.ToEnd}

func keyOf(s string) backend.Key { return backend.Key(s) }

// dir is where the files of a build lie in the tree.
func dir(id, arch string) string { return filepath.Join(id, arch) }
