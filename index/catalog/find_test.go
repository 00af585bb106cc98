package catalog_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cosafs/index"
	"cosafs/index/catalog"
)

// found gives what a query finds.
func found(tb testing.TB, c *catalog.Catalog, q catalog.Query) []string {
	tb.Helper()
	var all []string
	for m, err := range c.Find(tb.Context(), storeName, q) {
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, m.ID+"/"+m.Name)
	}
	return all
}

// commitMetaOf makes a commitmeta.json.
func commitMetaOf(packages []index.Package) []byte {
	rows := [][]string{}
	for _, p := range packages {
		rows = append(rows, []string{p.Name, p.Epoch, p.Version, p.Release, p.Arch})
	}
	data, err := json.Marshal(map[string]any{"rpmostree.rpmdb.pkglist": rows})
	if err != nil {
		panic(err) // strings only
	}
	return data
}

// A world is a store with all that a query is compared with.
type world struct {
	*store
	order    []string // ids, newest first
	built    map[string]time.Time
	kinds    map[string][]string
	packages map[string][]index.Package
}

func newWorld() *world {
	return &world{store: newStore(), built: map[string]time.Time{}, kinds: map[string][]string{}, packages: map[string][]index.Package{}}
}

var worldArches = []string{"x86_64", "aarch64", "s390x"}

// grow adds a build somewhere in the list.
func (w *world) grow(tb testing.TB, r *rand.Rand, id string) {
	tb.Helper()
	at := 0
	if len(w.order) > 0 && r.IntN(3) == 0 {
		at = r.IntN(len(w.order))
	}
	w.order = slices.Insert(w.order, at, id)
	for _, arch := range worldArches[:1+r.IntN(3)] {
		key := id + "/" + arch
		w.built[key] = epoch.Add(time.Duration(r.IntN(1000)) * time.Hour)
		w.fill(r, id, arch)
	}
	w.relist(tb)
}

// fill writes the documents of an architecture.
func (w *world) fill(r *rand.Rand, id, arch string) {
	key := id + "/" + arch
	w.kinds[key] = slices.DeleteFunc([]string{"qemu", "metal", "aws", "ostree"}, func(string) bool { return r.IntN(2) == 0 })
	w.put(key+"/meta.json", metaOf(id, arch, w.built[key], w.kinds[key]...))
	w.packages[key] = nil
	for i, name := range []string{"kernel", "kernel-core", "glibc", "bash"} {
		w.packages[key] = append(w.packages[key], index.Package{
			Name: name, Epoch: fmt.Sprint(i % 2), Version: fmt.Sprint(1 + r.IntN(3)), Release: "1.fc4" + fmt.Sprint(r.IntN(2)), Arch: arch,
		})
	}
	w.put(key+"/commitmeta.json", commitMetaOf(w.packages[key]))
}

// relist makes the list anew, in order.
func (w *world) relist(tb testing.TB) {
	tb.Helper()
	list := index.NewBuilds()
	for _, id := range slices.Backward(w.order) {
		for _, arch := range worldArches {
			if _, ok := w.built[id+"/"+arch]; !ok {
				continue
			}
			if err := list.Insert(index.BuildID(id), index.Arch(arch)); err != nil {
				tb.Fatal(err)
			}
		}
	}
	for i, id := range w.order {
		if i%7 == 0 {
			if err := list.SetTag(fmt.Sprint("tag", i%3), index.BuildID(id), epoch); err != nil {
				tb.Fatal(err)
			}
		}
	}
	w.edit(func(b *index.Builds) { *b = *list })
}

// answer is what a query should find: the plain way.
func (w *world) answer(q catalog.Query) []string {
	var all []string
	for _, id := range w.order {
		for _, arch := range worldArches {
			if _, ok := w.built[id+"/"+arch]; ok && w.matches(q, id, arch) {
				all = append(all, id+"/"+arch)
			}
		}
	}
	if q.Oldest && len(all) > 0 {
		return all[len(all)-1:]
	}
	if q.Limit > 0 {
		all = all[:min(q.Limit, len(all))]
	}
	return all
}

func (w *world) matches(q catalog.Query, id, arch string) bool {
	key := id + "/" + arch
	image := func(kind string) bool {
		return (q.Kind == "" || kind == q.Kind) && (strings.HasPrefix(digestOf(id, arch, kind), q.SHA256) ||
			strings.HasPrefix(digestOf(id, arch, kind, "raw"), q.SHA256))
	}
	tagged := slices.ContainsFunc(w.list.Tags(), func(t index.Tag) bool { return t.Name == q.Tag && string(t.Target) == id })
	has := func(p index.Package) bool {
		return slices.Contains([]string{p.Name, p.Name + "-" + p.Version, p.Name + "-" + p.Version + "-" + p.Release}, q.Package)
	}
	return strings.HasPrefix(id, q.ID) && (q.Arch == "" || q.Arch == arch) &&
		strings.HasPrefix(digestOf(id, arch, "commit"), q.Commit) &&
		(q.Kind == "" && q.SHA256 == "" || slices.ContainsFunc(w.kinds[key], image)) &&
		(q.Tag == "" || tagged) && (q.Package == "" || slices.ContainsFunc(w.packages[key], has)) &&
		(q.After.IsZero() || !w.built[key].Before(q.After)) && (q.Before.IsZero() || w.built[key].Before(q.Before))
}

// ask makes a query that has a fair chance to find something.
func (w *world) ask(r *rand.Rand) catalog.Query {
	id, arch := w.order[r.IntN(len(w.order))], worldArches[r.IntN(3)]
	kind := []string{"qemu", "metal", "aws", "nonesuch"}[r.IntN(4)]
	var q catalog.Query
	for range 1 + r.IntN(2) {
		switch r.IntN(10) {
		case 0:
			q.ID = id[:1+r.IntN(len(id))]
		case 1:
			q.Arch = arch
		case 2:
			q.Commit = digestOf(id, arch, "commit")[:1+r.IntN(40)]
		case 3:
			q.SHA256 = digestOf(id, arch, kind)[:1+r.IntN(20)]
		case 4:
			q.SHA256 = digestOf(id, arch, kind, "raw")[:1+r.IntN(64)]
		case 5:
			q.Kind = kind
		case 6:
			q.Tag = fmt.Sprint("tag", r.IntN(4))
		case 7:
			q.After = epoch.Add(time.Duration(r.IntN(1000)) * time.Hour)
			q.Before = q.After.Add(time.Duration(r.IntN(500)) * time.Hour)
		case 8:
			q.Package = []string{"kernel", "kernel-2", "kernel-core-1", "glibc-3-1.fc41", "kernel-core-1-1.fc40", "ker", "bash-9"}[r.IntN(7)]
		case 9:
			q.Limit = r.IntN(4)
			q.Oldest = r.IntN(2) == 0
		}
	}
	return q
}

// Whatever happens to a store, after a sync the catalog answers as the store would.
func TestFindProperty(t *testing.T) {
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 1))
		w, c := newWorld(), fresh(t)
		for i := range 15 {
			w.grow(t, r, fmt.Sprintf("4%d.2025%02d", r.IntN(3), i))
		}
		for round := range 5 {
			sync1(t, c, w.store, catalog.Options{Recheck: -1, Parallel: 1 + r.IntN(8)})
			if err := c.SyncPackages(t.Context(), storeName, w, catalog.Query{}, nil); err != nil {
				t.Fatal(err)
			}
			w.asked()
			for range 300 {
				q := w.ask(r)
				if diff := cmp.Diff(w.answer(q), found(t, c, q)); diff != "" {
					t.Fatalf("seed %d, round %d, %+v (-want +got):\n%s", seed, round, q, diff)
				}
			}
			w.checkPackages(t, c)
			if lists, dirs, reads := w.asked(); lists+dirs+reads != 0 {
				t.Fatal("a query asked the store")
			}
			for i := range 3 {
				w.grow(t, r, fmt.Sprintf("5%d.%d.%d", r.IntN(2), round, i))
			}
			w.shake(t, r)
		}
	}
}

func (w *world) checkPackages(t *testing.T, c *catalog.Catalog) {
	t.Helper()
	for key, want := range w.packages {
		id, arch, _ := strings.Cut(key, "/")
		got, err := c.Packages(t.Context(), storeName, id, arch)
		if err != nil {
			t.Fatal(err)
		}
		want = slices.SortedFunc(slices.Values(want), func(a, b index.Package) int { return strings.Compare(a.String(), b.String()) })
		slices.SortFunc(got, func(a, b index.Package) int { return strings.Compare(a.String(), b.String()) })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", key, diff)
		}
	}
}

// shake removes builds and architectures, and replaces documents.
func (w *world) shake(t *testing.T, r *rand.Rand) {
	t.Helper()
	for range 2 {
		at := r.IntN(len(w.order))
		for _, arch := range worldArches {
			w.forget(w.order[at] + "/" + arch)
		}
		w.order = slices.Delete(w.order, at, at+1)
	}
	id := w.order[r.IntN(len(w.order))]
	if _, ok := w.built[id+"/aarch64"]; ok {
		w.forget(id + "/aarch64")
	}
	w.relist(t)
	id = w.order[0]
	key := id + "/x86_64"
	w.kinds[key] = []string{"qemu", "openstack"}
	w.put(key+"/meta.json", metaOf(id, "x86_64", w.built[key], w.kinds[key]...))
}

func (w *world) forget(key string) {
	delete(w.built, key)
	delete(w.kinds, key)
	delete(w.packages, key)
}

// Another commit under the same name has packages of its own.
func TestPackagesFollowTheCommit(t *testing.T) {
	s, c := newStore(), fresh(t)
	s.build(t, "1", epoch, "x86_64")
	s.put("1/x86_64/commitmeta.json", commitMetaOf([]index.Package{{Name: "bash", Epoch: "0", Version: "1", Release: "1", Arch: "x86_64"}}))
	fetch := func(want int) {
		t.Helper()
		sync1(t, c, s, catalog.Options{})
		s.asked()
		if err := c.SyncPackages(t.Context(), storeName, s, catalog.Query{Package: "bash"}, nil); err != nil {
			t.Fatal(err)
		}
		if _, _, reads := s.asked(); reads != want {
			t.Errorf("read %d files, want %d", reads, want)
		}
	}
	fetch(1)
	fetch(0)
	s.put("1/x86_64/meta.json", []byte(`{"buildid": "1", "ostree-commit": "`+digestOf("another")+`"}`))
	sync1(t, c, s, catalog.Options{})
	if got := found(t, c, catalog.Query{Package: "bash"}); len(got) != 0 {
		t.Errorf("packages of a commit that is gone: %q", got)
	}
	if _, err := c.Packages(t.Context(), storeName, "1", "x86_64"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Packages = %v", err)
	}
	fetch(1)
	if got := found(t, c, catalog.Query{Package: "bash"}); len(got) != 1 {
		t.Errorf("found %q", got)
	}
}

// Lists that the store lacks, or has damaged, are asked for once and hold up nothing.
func TestPackagesProblems(t *testing.T) {
	s, c := newStore(), fresh(t)
	good := commitMetaOf([]index.Package{{Name: "bash", Epoch: "0", Version: "1", Release: "1", Arch: "x86_64"}})
	for id, data := range map[string][]byte{"good": good, "cut": good[:20], "odd": commitMetaOf([]index.Package{{Name: "a\x00b"}}), "none": nil} {
		s.build(t, id, epoch, "x86_64")
		if data != nil {
			s.put(id+"/x86_64/commitmeta.json", data)
		}
	}
	sync1(t, c, s, catalog.Options{})
	for _, want := range []int{3, 0} {
		s.asked()
		if err := c.SyncPackages(t.Context(), storeName, s, catalog.Query{}, nil); err != nil {
			t.Fatal(err)
		}
		if _, _, reads := s.asked(); reads != want {
			t.Errorf("read %d files, want %d", reads, want)
		}
	}
	if got := found(t, c, catalog.Query{Package: "bash"}); !slices.Equal(got, []string{"good/x86_64"}) {
		t.Errorf("found %q", got)
	}
	down := errors.New("no route to host")
	s.build(t, "late", epoch, "x86_64")
	s.put("late/x86_64/commitmeta.json", good)
	sync1(t, c, s, catalog.Options{})
	s.fail["late/x86_64/commitmeta.json"] = down
	if err := c.SyncPackages(t.Context(), storeName, s, catalog.Query{}, nil); !errors.Is(err, down) {
		t.Errorf("SyncPackages = %v", err)
	}
	if err := c.SyncPackages(t.Context(), "never://heard", s, catalog.Query{}, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("SyncPackages of an unknown store = %v", err)
	}
}
