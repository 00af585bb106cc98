package fetch_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cosafs/backend"
	"cosafs/backend/backendtest"
	"cosafs/backend/memstore"
	"cosafs/cmd/internal/fetch"
	"cosafs/cmd/internal/workdir"
)

const (
	url = "s3://bucket/prod"
	x86 = "x86_64"
	arm = "aarch64"
)

// noise gives bytes that no compression and no mix-up of ranges leaves alike.
func noise(n int, seed uint64) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(data) // never fails
	return data
}

func sum(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}

// A remote is a store that a test fills.
type remote struct {
	t *testing.T
	memstore.Store
	list map[string]any
}

func newRemote(t *testing.T) *remote {
	t.Helper()
	return &remote{t: t, list: map[string]any{"schema-version": "1.0.0", "builds": []any{}, "timestamp": "2025-01-02T03:04:05Z"}}
}

// put stores an object.
func (r *remote) put(key string, data []byte) {
	r.t.Helper()
	put(r.t, r, key, data)
}

func put(t *testing.T, w backend.Writer, key string, data []byte) {
	t.Helper()
	if _, err := w.Put(t.Context(), backend.Key(key), backend.Source{ReaderAt: bytes.NewReader(data), Size: int64(len(data))}, backend.Cond{}); err != nil {
		t.Fatal(err)
	}
}

func (r *remote) putJSON(key string, v any) {
	r.t.Helper()
	data, err := json.MarshalIndent(v, "", "    ")
	if err != nil {
		r.t.Fatal(err)
	}
	r.put(key, data)
}

// add puts a build on top of the list, with its files: kind to bytes.
func (r *remote) add(id, arch string, images map[string][]byte) {
	r.t.Helper()
	builds, ok := r.list["builds"].([]any)
	if !ok {
		r.t.Fatal("no list")
	}
	at := slices.IndexFunc(builds, func(b any) bool { return strings.Contains(fmt.Sprint(b), "id:"+id) })
	if at < 0 {
		r.list["builds"] = append([]any{map[string]any{"id": id, "arches": []string{arch}}}, builds...)
	} else {
		builds[at] = map[string]any{"id": id, "arches": []string{x86, arch}}
	}
	r.putJSON("builds.json", r.list)
	r.putJSON(id+"/"+arch+"/meta.json", metaOf(id, arch, images))
	r.put(id+"/"+arch+"/commitmeta.json", []byte(`{"version": "`+id+`"}`))
	r.put(id+"/"+arch+"/ostree-commit-object", []byte("commit of "+id))
	for kind, data := range images {
		r.put(id+"/"+arch+"/"+file(id, kind), data)
	}
}

func file(id, kind string) string { return "os-" + id + "-" + kind + ".img" }

func metaOf(id, arch string, images map[string][]byte) map[string]any {
	entries := map[string]any{}
	for kind, data := range images {
		entries[kind] = map[string]any{"path": file(id, kind), "sha256": sum(data), "size": len(data)}
	}
	return map[string]any{
		"buildid": id, "name": "os", "ostree-commit": sum([]byte(id)), "ostree-version": id, "ref": "os/stable",
		"ostree-timestamp": "2025-01-02T03:04:05Z", "coreos-assembler.basearch": arch,
		"coreos-assembler.build-timestamp": "2025-01-02T03:04:06Z", "coreos-assembler.meta-stamp": 1000, "images": entries,
	}
}

// document reads an object.
func (r *remote) document(key backend.Key) ([]byte, error) {
	body, err := r.Open(r.t.Context(), key, backend.Range{Len: backend.ToEnd}, "")
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(body)
	return data, errors.Join(err, body.Close())
}

// A place is a working directory that a test fetches into.
type place struct {
	t   *testing.T
	dir string
}

func newPlace(t *testing.T) place {
	t.Helper()
	p := place{t, t.TempDir()}
	for _, d := range []string{"builds", "src/config", "tmp/repo/refs/heads/os"} {
		if err := os.MkdirAll(filepath.Join(p.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p place) path(name string) string { return filepath.Join(p.dir, filepath.FromSlash(name)) }

func (p place) write(name string, data []byte) {
	p.t.Helper()
	if err := os.MkdirAll(filepath.Dir(p.path(name)), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(p.path(name), data, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

func (p place) read(name string) []byte {
	p.t.Helper()
	data, err := os.ReadFile(p.path(name))
	if err != nil {
		p.t.Fatal(err)
	}
	return data
}

// has says which of the names in builds/ exist.
func (p place) has(name string) bool {
	_, err := os.Lstat(p.path("builds/" + name))
	return err == nil
}

// fetch fetches, with the options that a test changes.
func (p place) fetch(s backend.Store, change func(*fetch.Options)) (fetch.Report, error) {
	p.t.Helper()
	o := fetch.Options{Workdir: p.dir, Store: s, URL: url, Arch: x86, Artifacts: []string{"qemu"}}
	if change != nil {
		change(&o)
	}
	return fetch.Run(p.t.Context(), o)
}

func (p place) mustFetch(s backend.Store, change func(*fetch.Options)) fetch.Report {
	p.t.Helper()
	r, err := p.fetch(s, change)
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

// nothingLeft checks that the spool holds nothing but its own files.
func (p place) nothingLeft() {
	p.t.Helper()
	entries, err := os.ReadDir(p.path("tmp/cosafs/fetch"))
	if err != nil {
		p.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "lock" {
			p.t.Errorf("%s is left over", e.Name())
		}
	}
}

func TestFetchBringsABuild(t *testing.T) {
	qemu := noise(40<<20, 1)
	r := newRemote(t)
	r.add("1.1", x86, map[string][]byte{"qemu": qemu, "metal": noise(1<<20, 2)})
	p := newPlace(t)
	p.write("tmp/repo/refs/heads/os/stable", []byte("old commit"))
	s, counts := backendtest.Counting(&r.Store)
	rep := p.mustFetch(s, nil)

	for name, want := range map[string][]byte{"qemu": qemu, "other": nil} {
		if got := "builds/1.1/x86_64/" + file("1.1", name); want != nil && !bytes.Equal(p.read(got), want) {
			t.Errorf("%s has other bytes", got)
		}
	}
	if p.has("1.1/x86_64/" + file("1.1", "metal")) {
		t.Error("metal came though nobody asked for it")
	}
	if string(p.read("builds/1.1/x86_64/ostree-commit-object")) != "commit of 1.1" || !p.has("1.1/x86_64/commitmeta.json") {
		t.Error("the files beside meta.json are not there")
	}
	list, err := r.Stat(t.Context(), "builds.json")
	if err != nil {
		t.Fatal(err)
	}
	if got := p.read("builds/builds.json"); !bytes.Equal(got, p.read("tmp/builds-source.json")) || int64(len(got)) != list.Size {
		t.Error("builds.json and cosa's copy of it are not the store's bytes")
	}
	if got := string(p.read("tmp/builds-source.txt")); got != url+"\n" {
		t.Errorf("cosa's memory of the URL is %q", got)
	}
	if latest, err := os.Readlink(p.path("builds/latest")); err != nil || latest != "1.1" {
		t.Errorf("latest -> %q, %v", latest, err)
	}
	if _, err := os.Stat(p.path("tmp/repo/refs/heads/os/stable")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old commit is still named: %v", err)
	}
	if rep.Build != "1.1" || !slices.Equal(rep.Arches, []string{x86}) || len(rep.Fetched) != 4 || len(rep.Skipped) != 0 || rep.Bytes != counts.Bytes(backendtest.Open) {
		t.Errorf("report %+v", rep)
	}
	p.nothingLeft()

	before := counts.Bytes(backendtest.Open)
	again := p.mustFetch(s, nil)
	if moved := counts.Bytes(backendtest.Open) - before; moved > 10_000 || len(again.Fetched) != 0 || len(again.Skipped) != 4 {
		t.Errorf("the second fetch moved %d bytes and says %+v", moved, again)
	}
	p.nothingLeft()
}

func TestFetchedWorkdirIsOne(t *testing.T) {
	r := newRemote(t)
	r.add("1.1", x86, map[string][]byte{"qemu": []byte("one")})
	r.add("1.2", x86, map[string][]byte{"qemu": []byte("two")})
	p := newPlace(t)
	p.mustFetch(&r.Store, nil)
	w, err := workdir.Open(t.Context(), workdir.Config{Dir: p.dir, Arch: x86})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	builds, err := w.Builds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(builds) != 2 || builds[0].ID != "1.2" || !builds[0].Local || builds[1].Local {
		t.Errorf("cosafs list: %+v; want 1.2, which is here, and 1.1, which isn't", builds)
	}
	st, err := os.Stat(p.path("builds/1.2/x86_64/" + file("1.2", "qemu")))
	if err != nil || st.Mode().Perm() != 0o444 {
		t.Errorf("the image's mode is %v, %v; want cosa's 0444", st.Mode(), err)
	}
}

func TestFetchWithoutListIsANote(t *testing.T) {
	p := newPlace(t)
	rep := p.mustFetch(newRemote(t), nil)
	if len(rep.Notes) != 1 || rep.Build != "" || p.has("builds.json") {
		t.Errorf("report %+v; want one note", rep)
	}
}

func TestFetchOfAnEmptyList(t *testing.T) {
	r := newRemote(t)
	r.putJSON("builds.json", r.list)
	p := newPlace(t)
	if rep := p.mustFetch(r, nil); rep.Build != "" || !p.has("builds.json") || p.has("latest") {
		t.Errorf("report %+v", rep)
	}
}

func TestFetchNeedsAWorkdir(t *testing.T) {
	_, err := fetch.Run(t.Context(), fetch.Options{Workdir: t.TempDir(), Store: newRemote(t), Arch: x86})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("fetch into nowhere: %v", err)
	}
}
