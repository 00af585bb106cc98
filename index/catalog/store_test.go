package catalog_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"cosafs/index"
	"cosafs/index/catalog"
)

const storeName = "mem://store"

// A store is a [catalog.Source] in memory that counts what it is asked.
type store struct {
	mu        sync.Mutex
	list      *index.Builds
	listData  []byte // instead of list, if not nil
	listV     int
	files     map[string]object // by build/name
	version   int
	unlisting bool
	fail      map[string]error // by build/name, build, or builds.json
	lists     int
	dirs      int
	reads     []string
	entered   chan string // told of each read, if not nil
	release   chan struct{}
}

type object struct {
	data    []byte
	version string
}

var _ catalog.Source = (*store)(nil)

func newStore() *store {
	return &store{list: index.NewBuilds(), files: map[string]object{}, fail: map[string]error{}}
}

func (s *store) List(ctx context.Context, known string) ([]byte, catalog.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists++
	f := catalog.File{Name: "builds.json", Version: fmt.Sprintf("list-%d", s.listV), ModTime: epoch}
	if err := errors.Join(ctx.Err(), s.fail["builds.json"]); err != nil {
		return nil, catalog.File{}, err
	}
	data := s.list.Bytes()
	if s.listData != nil {
		data = s.listData
	}
	f.Size = int64(len(data))
	if known == f.Version {
		return nil, f, nil
	}
	return data, f, nil
}

func (s *store) Files(ctx context.Context, id string) ([]catalog.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unlisting {
		return nil, fmt.Errorf("list: %w", errors.ErrUnsupported)
	}
	s.dirs++
	if err := errors.Join(ctx.Err(), s.fail[id]); err != nil {
		return nil, err
	}
	var files []catalog.File
	for key, o := range s.files {
		if name, ok := strings.CutPrefix(key, id+"/"); ok {
			files = append(files, catalog.File{Name: name, Size: int64(len(o.data)), ModTime: epoch, Version: o.version})
		}
	}
	return files, nil
}

func (s *store) Read(ctx context.Context, id, name, known string) ([]byte, catalog.File, error) {
	if s.entered != nil {
		select {
		case s.entered <- id + "/" + name:
		case <-ctx.Done():
			return nil, catalog.File{}, ctx.Err()
		}
		select {
		case <-s.release:
		case <-ctx.Done():
			return nil, catalog.File{}, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := id + "/" + name
	s.reads = append(s.reads, key)
	if err := errors.Join(ctx.Err(), s.fail[key]); err != nil {
		return nil, catalog.File{}, err
	}
	o, ok := s.files[key]
	f := catalog.File{Name: name, Size: int64(len(o.data)), ModTime: epoch, Version: o.version}
	switch {
	case !ok:
		return nil, catalog.File{}, fmt.Errorf("%s: %w", key, fs.ErrNotExist)
	case known != "" && known == o.version:
		return nil, f, nil
	}
	return o.data, f, nil
}

// put stores a file.
func (s *store) put(key string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	s.files[key] = object{data, fmt.Sprintf("%q", digestOf(key, s.version)[:32])}
}

func (s *store) remove(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.files, key)
}

// edit changes the list.
func (s *store) edit(fn func(*index.Builds)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listV++
	fn(s.list)
}

// asked gives how often the store was asked since the last call.
func (s *store) asked() (lists, dirs, reads int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lists, dirs, reads = s.lists, s.dirs, len(s.reads)
	s.lists, s.dirs, s.reads = 0, 0, nil
	return lists, dirs, reads
}

var epoch = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

func digestOf(parts ...any) string {
	sum := sha256.Sum256([]byte(fmt.Sprint(parts...)))
	return hex.EncodeToString(sum[:])
}

// metaOf makes a meta.json with images of the kinds.
func metaOf(id, arch string, built time.Time, kinds ...string) []byte {
	images := map[string]any{}
	for _, kind := range kinds {
		images[kind] = map[string]any{
			"path": fmt.Sprintf("os-%s-%s.%s.img", id, kind, arch), "sha256": digestOf(id, arch, kind), "size": 12345,
			"uncompressed-sha256": digestOf(id, arch, kind, "raw"), "uncompressed-size": 123456,
		}
	}
	data, err := json.Marshal(map[string]any{
		"buildid": id, "name": "os", "ostree-version": id, "ostree-commit": digestOf(id, arch, "commit"),
		"coreos-assembler.basearch": arch, "coreos-assembler.build-timestamp": built.UTC().Format(time.RFC3339), "images": images,
	})
	if err != nil {
		panic(err) // strings and numbers only
	}
	return data
}

// build puts a build at the top of the list, with files for each architecture.
func (s *store) build(tb testing.TB, id string, built time.Time, arches ...string) {
	tb.Helper()
	for _, arch := range arches {
		s.files1(id, arch, built)
	}
	s.edit(func(b *index.Builds) {
		for _, arch := range arches {
			if err := b.Insert(index.BuildID(id), index.Arch(arch)); err != nil {
				tb.Fatal(err)
			}
		}
	})
}

func (s *store) files1(id, arch string, built time.Time) {
	s.put(id+"/"+arch+"/meta.json", metaOf(id, arch, built, "qemu", "metal"))
	s.put(id+"/"+arch+"/os-"+id+"-qemu."+arch+".img", []byte("qemu"))
}

func open(tb testing.TB, dir string) *catalog.Catalog {
	tb.Helper()
	c, err := catalog.Open(tb.Context(), catalog.Config{Dir: dir, Logger: testLog(tb)})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// fresh opens a catalog that ends with the test.
func fresh(tb testing.TB) *catalog.Catalog {
	tb.Helper()
	c := open(tb, tb.TempDir())
	tb.Cleanup(func() {
		if err := c.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return c
}

func sync1(tb testing.TB, c *catalog.Catalog, s *store, o catalog.Options) catalog.Report {
	tb.Helper()
	r, err := c.Sync(tb.Context(), storeName, s, o)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// listed gives the ids of the builds in order, with their architectures.
func listed(tb testing.TB, c *catalog.Catalog) []string {
	tb.Helper()
	var all []string
	for b, err := range c.Builds(tb.Context(), storeName) {
		if err != nil {
			tb.Fatal(err)
		}
		line := b.ID
		for _, h := range b.Arches {
			line += " " + h.Name
		}
		all = append(all, line)
	}
	return all
}

func archOf(tb testing.TB, c *catalog.Catalog, id, arch string) catalog.Arch {
	tb.Helper()
	a, err := c.Arch(storeName, id, arch)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}
