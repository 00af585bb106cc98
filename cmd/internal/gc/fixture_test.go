package gc_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"cosafs/backend"
	"cosafs/backend/memstore"
	"cosafs/cmd/internal/cas"
	"cosafs/cmd/internal/gc"
	"cosafs/index"
)

const (
	arch = "x86_64"
	day  = 24 * time.Hour
)

// A tree is a store with builds in it. Tests run in a bubble of synctest, where
// time passes as they want.
type tree struct {
	*testing.T
	*memstore.Store
}

func newTree(t *testing.T) tree {
	t.Helper()
	return tree{t, &memstore.Store{}}
}

// pass lets time go by.
func pass(d time.Duration) { <-time.After(d) }

func (tr tree) put(key, data string) {
	tr.Helper()
	src := backend.Source{ReaderAt: strings.NewReader(data), Size: int64(len(data))}
	if _, err := tr.Put(tr.Context(), backend.Key(key), src, backend.Cond{}); err != nil {
		tr.Fatal(err)
	}
}

// file is the name of an artifact.
func file(id, arch, kind string) string {
	name, _ := index.FileName(index.Kind(kind), "tiny", index.BuildID(id), index.Arch(arch))
	return name
}

// objects stores a build made now, without listing it.
func (tr tree) objects(id, arch string, kinds ...string) {
	tr.Helper()
	m := index.NewMeta()
	tr.must(m.Set("buildid", id))
	tr.must(m.Set("coreos-assembler.build-timestamp", time.Now().UTC().Format(time.RFC3339)))
	for _, kind := range kinds {
		name := file(id, arch, kind)
		tr.must(m.SetImage(index.Kind(kind), index.Image{Path: name, SHA256: strings.Repeat("0", 64), Size: 4}))
		tr.put(id+"/"+arch+"/"+name, kind)
	}
	tr.put(id+"/"+arch+"/commitmeta.json", "{}")
	tr.put(id+"/"+arch+"/meta.json", string(m.Bytes()))
}

// build stores and lists a build, the newest.
func (tr tree) build(id, arch string, kinds ...string) {
	tr.Helper()
	tr.objects(id, arch, kinds...)
	tr.edit(func(l *index.Builds) error { return l.Insert(index.BuildID(id), index.Arch(arch)) })
}

func (tr tree) edit(change func(*index.Builds) error) {
	tr.Helper()
	doc := cas.Document{Store: tr.Store, Key: "builds.json"}
	_, err := doc.Update(tr.Context(), func(_ context.Context, old []byte) ([]byte, error) {
		l := index.NewBuilds()
		if old != nil {
			var err error
			if l, err = index.ParseBuilds(old); err != nil {
				return nil, err
			}
		}
		err := change(l)
		return l.Bytes(), err
	})
	tr.must(err)
}

func (tr tree) must(err error) {
	tr.Helper()
	if err != nil {
		tr.Fatal(err)
	}
}

func (tr tree) read(key string) string {
	tr.Helper()
	data, _, err := cas.Read(tr.Context(), tr.Store, backend.Key(key))
	tr.must(err)
	return string(data)
}

func (tr tree) list() *index.Builds {
	tr.Helper()
	l, err := index.ParseBuilds([]byte(tr.read("builds.json")))
	tr.must(err)
	return l
}

func (tr tree) keys() []string {
	tr.Helper()
	var all []string
	for info, err := range backend.Walk(tr.Context(), tr.Store, "") {
		tr.must(err)
		all = append(all, string(info.Key))
	}
	return all
}

func (tr tree) has(key string) bool { return slices.Contains(tr.keys(), key) }

// below gives what is left of a build.
func (tr tree) below(dir string) []string {
	return slices.DeleteFunc(tr.keys(), func(k string) bool { return !strings.HasPrefix(k, dir+"/") })
}

func (tr tree) collect(o gc.Options) gc.Report {
	tr.Helper()
	if o.Store == nil {
		o.Store = tr.Store
	}
	r, err := gc.Run(tr.Context(), o)
	if err != nil {
		tr.Fatalf("collect: %v", err)
	}
	return r
}
