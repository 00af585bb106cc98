package index_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cosafs/index"
)

// list makes a builds.json of ids, newest first, each for one architecture.
func list(t *testing.T, arch index.Arch, ids ...string) *index.Builds {
	t.Helper()
	b := index.NewBuilds()
	for _, id := range slices.Backward(ids) {
		if err := b.Insert(index.BuildID(id), arch); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func idsOf(entries []index.Entry) []string {
	var ids []string
	for _, e := range entries {
		ids = append(ids, string(e.ID))
	}
	return ids
}

func TestMergeListsOrder(t *testing.T) {
	for _, c := range []struct{ top, low, want []string }{
		{nil, []string{"3", "2"}, []string{"3", "2"}},
		{[]string{"dev2", "dev1"}, []string{"3", "2"}, []string{"dev2", "dev1", "3", "2"}},
		{[]string{"dev2", "2", "dev1"}, []string{"4", "3", "2", "1"}, []string{"dev2", "4", "3", "2", "dev1", "1"}},
		{[]string{"3", "1"}, []string{"4", "3", "2", "1", "0"}, []string{"4", "3", "2", "1", "0"}},
	} {
		got := idsOf(index.MergeLists(list(t, "x86_64", c.top...), list(t, "x86_64", c.low...)).Entries())
		if !slices.Equal(got, c.want) {
			t.Errorf("%q over %q = %q; want %q", c.top, c.low, got, c.want)
		}
	}
}

func TestMergeListsUnites(t *testing.T) {
	top, err := index.ParseBuilds([]byte(`{"schema-version": "1.0.0", "odd": {"kept": 1.50}, "timestamp": "2025-01-01T00:00:00Z",
		"tags": [{"name": "a", "target": "2"}], "builds": [{"id": "2", "arches": ["x86_64"], "note": "mine"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	low := list(t, "aarch64", "3", "2")
	for _, tag := range []string{"a", "b"} {
		if err := low.SetTag(tag, "3", time.Unix(0, 0)); err != nil {
			t.Fatal(err)
		}
	}
	low.Bump(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	before := [][]byte{top.Bytes(), low.Bytes()}
	all := index.MergeLists(top, low)
	if got := all.Arches("2"); !slices.Equal(got, []index.Arch{"x86_64", "aarch64"}) {
		t.Errorf("architectures of 2: %q", got)
	}
	for _, part := range []string{`"kept": 1.50`, `"note": "mine"`, "2026-01-01"} {
		if !bytes.Contains(all.Bytes(), []byte(part)) {
			t.Errorf("%s is lost:\n%s", part, all.Bytes())
		}
	}
	var tags []string
	for _, tag := range all.Tags() {
		tags = append(tags, tag.Name+"="+string(tag.Target))
	}
	if !slices.Equal(tags, []string{"a=2", "b=3"}) {
		t.Errorf("tags %q; want the first list's a", tags)
	}
	if !bytes.Equal(before[0], top.Bytes()) || !bytes.Equal(before[1], low.Bytes()) {
		t.Error("merging changed a list")
	}
	if one := index.MergeLists(top); !bytes.Equal(one.Bytes(), before[0]) {
		t.Error("a single list is not the same byte for byte")
	}
	if none := index.MergeLists(); len(none.Entries()) != 0 {
		t.Error("no lists give builds")
	}
}

// Merged lists hold every build once, and keep the order of the first and, where
// the first does not say otherwise, of the second.
func TestMergeListsRandom(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		var all, a, b []string
		for i := range r.IntN(20) {
			all = append(all, fmt.Sprint("b", i))
		}
		for _, id := range all {
			where := r.IntN(3)
			if where != 1 {
				a = append(a, id)
			}
			if where != 0 {
				b = append(b, id)
			}
		}
		got := idsOf(index.MergeLists(list(t, "x", a...), list(t, "x", b...)).Entries())
		for _, part := range [][]string{a, b} {
			kept := slices.DeleteFunc(slices.Clone(got), func(id string) bool { return !slices.Contains(part, id) })
			if !slices.Equal(kept, part) && len(part) > 0 {
				t.Fatalf("seed %d: %q over %q = %q", seed, a, b, got)
			}
		}
		if len(got) != len(all) {
			t.Fatalf("seed %d: %d builds of %d", seed, len(got), len(all))
		}
	}
}

// Builds that are published in any order end up in the order that they have
// where they were made.
func TestInsertLike(t *testing.T) {
	ids := []string{"5", "4", "3", "2", "1"}
	local := list(t, "x86_64", ids...)
	for seed := range uint64(100) {
		b := index.NewBuilds()
		for _, i := range rand.New(rand.NewPCG(seed, 2)).Perm(len(ids)) {
			if err := b.InsertLike(index.BuildID(ids[i]), "x86_64", local); err != nil {
				t.Fatal(err)
			}
		}
		if got := idsOf(b.Entries()); !slices.Equal(got, ids) {
			t.Fatalf("seed %d: %q", seed, got)
		}
	}
	b := list(t, "x86_64", "other2", "3", "other1")
	for _, id := range []index.BuildID{"4", "1", "unknown"} {
		if err := b.InsertLike(id, "x86_64", local); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := idsOf(b.Entries()), []string{"unknown", "other2", "4", "3", "1", "other1"}; !slices.Equal(got, want) {
		t.Errorf("among others' builds: %q; want %q", got, want)
	}
	if err := b.InsertLike("4", "aarch64", local); err != nil || len(b.Arches("4")) != 2 {
		t.Errorf("another architecture: %v, %q", err, b.Arches("4"))
	}
	if err := b.InsertLike("4", "aarch64", local); !errors.Is(err, fs.ErrExist) {
		t.Errorf("again: %v; want fs.ErrExist", err)
	}
}

func TestTombstone(t *testing.T) {
	b := list(t, "x86_64", "3", "2", "1")
	if n := b.Tombstone("1"); n != 1 {
		t.Errorf("%d builds died", n)
	}
	if n := b.Tombstone("2", "9"); n != 1 {
		t.Errorf("%d builds died", n)
	}
	again, err := index.ParseBuilds(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if got := idsOf(again.Entries()); !slices.Equal(got, []string{"3"}) {
		t.Errorf("left: %q", got)
	}
	if got := again.Tombstones(); !slices.Equal(idsOf(got), []string{"2", "1"}) || !slices.Equal(got[0].Arches, []index.Arch{"x86_64"}) {
		t.Errorf("tombstones: %+v", got)
	}
}

func TestSetCleanup(t *testing.T) {
	b := list(t, "x86_64", "2", "1")
	first := index.Cleanup{CloudUploads: true}
	second := index.Cleanup{Images: true, ImagesKept: []index.Kind{"qemu", "live-iso"}}
	for _, c := range []index.Cleanup{first, second} {
		if err := b.SetCleanup("1", c); err != nil {
			t.Fatal(err)
		}
	}
	again, err := index.ParseBuilds(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	e, _ := again.Entry("1")
	want := index.Cleanup{CloudUploads: true, Images: true, ImagesKept: second.ImagesKept}
	if diff := cmp.Diff(want, e.Cleanup); diff != "" {
		t.Errorf("what was recorded (-want +got):\n%s", diff)
	}
	if bytes.Contains(b.Bytes(), []byte(`"images": true`)) {
		t.Error("images stands beside images-kept")
	}
	if err := b.SetCleanup("9", first); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of a build that isn't listed: %v", err)
	}
}

func TestDiffPackages(t *testing.T) {
	p := func(name, epoch, version, arch string) index.Package {
		return index.Package{Name: name, Epoch: epoch, Version: version, Release: "1", Arch: arch}
	}
	old := []index.Package{p("same", "0", "1", "noarch"), p("gone", "0", "1", "x86_64"), p("moved", "0", "1", "x86_64"), p("two", "0", "1", "i686"), p("two", "0", "1", "x86_64")}
	now := []index.Package{p("same", "", "1", "noarch"), p("moved", "2", "0.9", "x86_64"), p("two", "0", "1", "i686"), p("two", "0", "2", "x86_64"), p("came", "0", "1", "x86_64")}
	want := []index.PackageChange{
		{Name: "came", New: "1-1.x86_64"},
		{Name: "gone", Old: "1-1.x86_64"},
		{Name: "moved", Old: "1-1.x86_64", New: "2:0.9-1.x86_64"},
		{Name: "two", Old: "1-1.x86_64", New: "2-1.x86_64"},
	}
	if diff := cmp.Diff(want, index.DiffPackages(old, now)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := now[1].String(); got != "moved-2:0.9-1.x86_64" {
		t.Errorf("full name %s", got)
	}
}

func TestDiffMeta(t *testing.T) {
	parse := func(s string) *index.Meta {
		m, err := index.ParseMeta([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	a := parse(`{"name": "os", "same": {"a": 1, "b": [2]}, "gone": null, "n": 1, "images": {"qemu": {}}}`)
	b := parse(`{"n": 2, "same": {"b": [2], "a": 1}, "name": "os", "came": "x", "images": {}}`)
	var got []string
	for _, c := range index.DiffMeta(a, b) {
		got = append(got, fmt.Sprintf("%s: %s -> %s", c.Key, c.Old, c.New))
	}
	if want := []string{"gone: null -> ", "n: 1 -> 2", "came:  -> \"x\""}; !slices.Equal(got, want) {
		t.Errorf("%q; want %q", got, want)
	}
}
