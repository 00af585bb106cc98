package upload_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/backend"
	"cosafs/cmd/internal/cas"
	"cosafs/cmd/internal/upload"
	"cosafs/index"
)

const (
	arch   = "x86_64"
	osName = "tiny"
)

// A workdir is a build directory as cosa leaves it.
type workdir struct {
	*testing.T
	dir string
}

func newWorkdir(t *testing.T) workdir {
	t.Helper()
	w := workdir{t, t.TempDir()}
	w.write("builds/builds.json", index.NewBuilds().Bytes())
	return w
}

func (w workdir) write(name string, data []byte) {
	w.Helper()
	path := filepath.Join(w.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		w.Fatal(err)
	}
}

func (w workdir) read(name string) []byte {
	w.Helper()
	data, err := os.ReadFile(filepath.Join(w.dir, filepath.FromSlash(name)))
	if err != nil {
		w.Fatal(err)
	}
	return data
}

// fileName gives the name of an artifact.
func fileName(kind, id, arch string) string {
	name, _ := index.FileName(index.Kind(kind), osName, index.BuildID(id), index.Arch(arch))
	return name
}

// content gives the bytes of an artifact; every build has its own.
func content(kind, id, arch string) string {
	return strings.Repeat(kind+" of "+id+" for "+arch+"\n", 100)
}

// build makes a build with artifacts, the newest of the list.
func (w workdir) build(id, arch string, kinds ...string) {
	w.Helper()
	dir := "builds/" + id + "/" + arch + "/"
	m := index.NewMeta()
	for key, v := range map[string]string{
		"buildid": id, "name": osName, "ostree-version": id, "ostree-commit": sum("commit of " + id),
		"ostree-timestamp": "2025-01-02T03:04:05Z", "coreos-assembler.basearch": arch,
	} {
		w.must(m.Set(key, v))
	}
	m.SetStamp(1)
	w.write(dir+"commitmeta.json", []byte(`{"version": "`+id+`"}`))
	w.write(dir+"meta.json", m.Bytes())
	for _, kind := range kinds {
		w.artifact(id, arch, kind, content(kind, id, arch))
	}
	w.editList(func(l *index.Builds) error { return l.Insert(index.BuildID(id), index.Arch(arch)) })
}

// artifact adds an artifact to a build, or replaces one, as cosa does.
func (w workdir) artifact(id, arch, kind, data string) {
	w.Helper()
	dir := "builds/" + id + "/" + arch + "/"
	file := fileName(kind, id, arch)
	w.write(dir+file, []byte(data))
	w.editMeta(id, arch, func(m *index.Meta) error {
		stamp, _ := m.Stamp()
		m.SetStamp(stamp + 1)
		return m.SetImage(index.Kind(kind), index.Image{Path: file, SHA256: sum(data), Size: int64(len(data))})
	})
}

func (w workdir) editMeta(id, arch string, edit func(*index.Meta) error) {
	w.Helper()
	name := "builds/" + id + "/" + arch + "/meta.json"
	m, err := index.ParseMeta(w.read(name))
	w.must(err)
	w.must(edit(m))
	w.write(name, m.Bytes())
}

func (w workdir) editList(edit func(*index.Builds) error) {
	w.Helper()
	l, err := index.ParseBuilds(w.read("builds/builds.json"))
	w.must(err)
	w.must(edit(l))
	w.write("builds/builds.json", l.Bytes())
}

func (w workdir) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

// to gives the options of an upload.
func (w workdir) to(s backend.Store) upload.Options {
	return upload.Options{Workdir: w.dir, Dest: s, URL: "s3://bucket/builds"}
}

// upload uploads and wants success.
func (w workdir) upload(o upload.Options) upload.Report {
	w.Helper()
	r, err := upload.Run(w.Context(), o)
	if err != nil {
		w.Fatalf("upload: %v", err)
	}
	return r
}

// object reads an object of a store.
func object(t *testing.T, s backend.Store, key string) string {
	t.Helper()
	data, _, err := cas.Read(t.Context(), s, backend.Key(key))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// keys lists a store.
func keys(t *testing.T, s backend.Store) []string {
	t.Helper()
	var all []string
	for info, err := range backend.Walk(t.Context(), s, "") {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(info.Key))
	}
	return all
}

func listOf(t *testing.T, s backend.Store) *index.Builds {
	t.Helper()
	l, err := index.ParseBuilds([]byte(object(t, s, "builds.json")))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func metaOf(t *testing.T, s backend.Store, id, arch string) *index.Meta {
	t.Helper()
	m, err := index.ParseMeta([]byte(object(t, s, id+"/"+arch+"/meta.json")))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// put stores an object as somebody else does.
func put(t *testing.T, s backend.Store, key, data string) {
	t.Helper()
	w, ok := backend.As[backend.Writer](s)
	if !ok {
		t.Fatal("the store is read-only")
	}
	src := backend.Source{ReaderAt: strings.NewReader(data), Size: int64(len(data))}
	if _, err := w.Put(t.Context(), backend.Key(key), src, backend.Cond{}); err != nil {
		t.Fatal(err)
	}
}

// sound checks what a reader relies on: what the list names is there, and has the
// recorded bytes.
func sound(t *testing.T, s backend.Store) {
	t.Helper()
	list := listOf(t, s)
	if p := list.Problems(); len(p) > 0 {
		t.Errorf("builds.json: %v", p)
	}
	for _, e := range list.Entries() {
		for _, arch := range e.Arches {
			dir := string(e.ID) + "/" + string(arch) + "/"
			for _, im := range metaOf(t, s, string(e.ID), string(arch)).Images() {
				if !e.Cleanup.Keeps(im.Kind) {
					continue
				}
				if got := sum(object(t, s, dir+im.Path)); got != im.SHA256 {
					t.Errorf("%s%s has sha256 %s, meta.json says %s", dir, im.Path, got, im.SHA256)
				}
			}
		}
	}
}
