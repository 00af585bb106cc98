package catalog_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cosafs/index"
	"cosafs/index/catalog"
)

// Size of the store in TestTenThousandBuilds.
const bigBuilds = 10_000

var bigArches = []string{"x86_64", "aarch64", "ppc64le", "s390x"}

// bigImages is how many images a build has for each of bigArches, as those of a
// real stream do.
var bigImages = []int{25, 16, 8, 7}

// A bigStore makes its documents when they are asked for, so that they take no
// memory.
type bigStore struct {
	list  []byte
	asked atomic.Int64
}

var _ catalog.Source = (*bigStore)(nil)

func bigID(i int) string { return fmt.Sprintf("41.2025%06d.dev.0", i) }

func newBigStore(tb testing.TB) *bigStore {
	tb.Helper()
	var b bytes.Buffer
	b.WriteString(`{"schema-version": "1.0.0", "timestamp": "2025-01-01T00:00:00Z", "builds": [`)
	for i := bigBuilds - 1; i >= 0; i-- {
		fmt.Fprintf(&b, `{"id": %q, "arches": ["%s"]}`, bigID(i), strings.Join(bigArches, `", "`))
		if i > 0 {
			b.WriteString(",\n")
		}
	}
	b.WriteString("]}")
	return &bigStore{list: b.Bytes()}
}

func (s *bigStore) List(_ context.Context, known string) ([]byte, catalog.File, error) {
	s.asked.Add(1)
	f := catalog.File{Name: "builds.json", Size: int64(len(s.list)), Version: "1", ModTime: epoch}
	if known == f.Version {
		return nil, f, nil
	}
	return s.list, f, nil
}

func (s *bigStore) Files(_ context.Context, id string) ([]catalog.File, error) {
	s.asked.Add(1)
	var files []catalog.File
	add := func(arch, name string) {
		files = append(files, catalog.File{
			Name: arch + "/" + name, Size: 1, ModTime: epoch, Version: `"` + digestOf(id, arch, name)[:32] + `"`,
		})
	}
	for i, arch := range bigArches {
		for _, name := range []string{"meta.json", "commitmeta.json", "ostree-commit-object", "coreos-assembler-config-git.json"} {
			add(arch, name)
		}
		for _, kind := range bigKinds(i) {
			add(arch, fmt.Sprintf("os-%s-%s.%s.img", id, kind, arch))
		}
	}
	return files, nil
}

func bigKinds(arch int) []string {
	var kinds []string
	for _, kind := range index.Kinds()[:bigImages[arch]] {
		kinds = append(kinds, string(kind))
	}
	return kinds
}

func (s *bigStore) Read(_ context.Context, id, name, _ string) ([]byte, catalog.File, error) {
	s.asked.Add(1)
	arch, base, _ := strings.Cut(name, "/")
	f := catalog.File{Name: name, Size: 1, ModTime: epoch, Version: `"` + digestOf(id, arch, base)[:32] + `"`}
	var n int
	if _, err := fmt.Sscanf(id, "41.2025%06d.dev.0", &n); err != nil {
		return nil, f, err
	}
	if base == "commitmeta.json" {
		return commitMetaOf(bigPackages(n, arch)), f, nil
	}
	for i := range bigArches {
		if bigArches[i] == arch {
			return metaOf(id, arch, epoch.Add(time.Duration(n)*time.Hour), bigKinds(i)...), f, nil
		}
	}
	return nil, f, fs.ErrNotExist
}

// bigPackages gives 450 packages, ten of which change from build to build.
func bigPackages(n int, arch string) []index.Package {
	var list []index.Package
	for i := range 450 {
		list = append(list, index.Package{Name: fmt.Sprint("package-", i), Epoch: "0", Version: fmt.Sprint("1.", (n+i)/45), Release: "1.fc41", Arch: arch})
	}
	return list
}

// A memory watches how much of it is in use.
type memory struct {
	peak atomic.Uint64 // live objects, at the end of a collection
	done chan struct{}
	left chan struct{}
}

func watchMemory() *memory {
	m := &memory{done: make(chan struct{}), left: make(chan struct{})}
	go func() {
		defer close(m.left)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-m.done:
				return
			case <-tick.C:
				m.peak.Store(max(m.peak.Load(), live()))
			}
		}
	}()
	return m
}

// live gives the bytes of objects that the last collection found in use.
func live() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

func (m *memory) stop() uint64 {
	close(m.done)
	<-m.left
	return m.peak.Load()
}

func sizeOf(tb testing.TB, dir string) (size int64) {
	tb.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = d.Info(); err == nil {
				size += info.Size()
			}
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return size
}

// Ten thousand builds for four architectures are listed and searched without a
// request, in little time, from little memory.
func TestTenThousandBuilds(t *testing.T) {
	if underRace {
		t.Skip("the race detector makes it ten times slower: make test runs it without")
	}
	if testing.Short() {
		t.Skip("takes a minute")
	}
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(128 << 20))
	dir, s := t.TempDir(), newBigStore(t)
	c := open(t, dir)
	m, start := watchMemory(), time.Now()
	r, err := c.Sync(t.Context(), storeName, s, catalog.Options{})
	if err != nil || r.Added != bigBuilds {
		t.Fatalf("%+v, %v", r, err)
	}
	t.Logf("cold sync: %v, %d requests, peak live heap %d MB", time.Since(start).Round(time.Millisecond), s.asked.Load(), m.stop()>>20)
	start = time.Now()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("close: %v, %d MB on disk", time.Since(start).Round(time.Millisecond), sizeOf(t, dir)>>20)
	start = time.Now()
	c = open(t, dir)
	runtime.GC()
	t.Logf("open: %v, heap %d MB", time.Since(start).Round(time.Millisecond), live()>>20)
	s.asked.Store(0)
	bigAnswers(t, c)
	if n := s.asked.Load(); n != 0 {
		t.Errorf("answers cost %d requests", n)
	}
	if r, err := c.Sync(t.Context(), storeName, s, catalog.Options{}); err != nil || !r.Unchanged || s.asked.Load() != 21 {
		t.Errorf("sync again: %+v, %v, %d requests", r, err, s.asked.Load())
	}
	m, start = watchMemory(), time.Now()
	if err := c.SyncPackages(t.Context(), storeName, s, catalog.Query{Arch: "x86_64", ID: "41.2025009"}, nil); err != nil {
		t.Fatal(err)
	}
	t.Logf("packages of 1000 builds: %v, peak live heap %d MB", time.Since(start).Round(time.Millisecond), m.stop()>>20)
	bigPackageAnswers(t, c)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("with them %d MB on disk", sizeOf(t, dir)>>20)
	if err := os.Remove(filepath.Join(dir, "seal")); err != nil {
		t.Fatal(err)
	}
	start = time.Now()
	c = open(t, dir)
	t.Logf("open after a kill: %v", time.Since(start).Round(time.Millisecond))
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// timed runs a query and tells how long it took.
func timed(t *testing.T, c *catalog.Catalog, name string, q catalog.Query, want int) {
	t.Helper()
	start := time.Now()
	if got := found(t, c, q); len(got) != want {
		t.Errorf("%s: %d found, want %d", name, len(got), want)
	}
	t.Logf("find by %s: %v", name, time.Since(start).Round(100*time.Microsecond))
}

func bigAnswers(t *testing.T, c *catalog.Catalog) {
	t.Helper()
	start := time.Now()
	if got := listed(t, c); len(got) != bigBuilds || !strings.HasPrefix(got[0], bigID(bigBuilds-1)) {
		t.Errorf("%d builds, first %q", len(got), got[0])
	}
	t.Logf("list all: %v", time.Since(start).Round(100*time.Microsecond))
	start = time.Now()
	if a := archOf(t, c, bigID(77), "s390x"); len(a.Images) != bigImages[3] || len(a.Files) != bigImages[3]+4 {
		t.Errorf("%+v", a)
	}
	t.Logf("one architecture: %v", time.Since(start).Round(time.Microsecond))
	id := bigID(1234)
	timed(t, c, "commit", catalog.Query{Commit: digestOf(id, "aarch64", "commit")[:12]}, 1)
	timed(t, c, "sha256", catalog.Query{SHA256: digestOf(id, "x86_64", "qemu", "raw")}, 1)
	timed(t, c, "id", catalog.Query{ID: id}, 4)
	timed(t, c, "kind, newest 10", catalog.Query{Kind: "metal", Limit: 10}, 10)
	timed(t, c, "arch and date", catalog.Query{Arch: "x86_64", After: epoch.Add(100 * time.Hour), Before: epoch.Add(200 * time.Hour)}, 100)
}

func bigPackageAnswers(t *testing.T, c *catalog.Catalog) {
	t.Helper()
	timed(t, c, "oldest with a package", catalog.Query{Package: "package-7-1.205", Oldest: true}, 1)
	timed(t, c, "package", catalog.Query{Package: "package-7", Limit: 5}, 5)
	start := time.Now()
	list, err := c.Packages(t.Context(), storeName, bigID(9500), "x86_64")
	if err != nil || len(list) != 450 {
		t.Errorf("%d packages, %v", len(list), err)
	}
	t.Logf("packages of a build: %v", time.Since(start).Round(100*time.Microsecond))
}
