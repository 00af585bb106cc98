package index_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cosafs/index"
)

// What is merged has every build of both lists once and nothing else, the first
// list's builds in their order, and merging again changes nothing.
func FuzzMergeLists(f *testing.F) {
	f.Add([]byte(`{"builds": ["2", "1"]}`), []byte(`{"schema-version": "1.0.0", "builds": [{"id": "3", "arches": ["x"]}, {"id": "1", "arches": ["x"]}]}`))
	f.Add([]byte(`{"schema-version": "1.0.0", "builds": [7, {"id": ""}, {"id": "1"}]}`), []byte(`{"schema-version": "1.0.0", "builds": ["0", {"id": "../x"}, 7, "0"]}`))
	f.Add([]byte(`{"schema-version": "1.0.0", "builds": [], "tombstone-builds": [{"id": "4"}]}`), []byte(`{"schema-version": "1.0.0", "tombstone-builds": ["5", {"id": "4"}], "tags": [{"name": "a", "target": "1"}]}`))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		a, errA := index.ParseBuilds(first)
		b, errB := index.ParseBuilds(second)
		if errA != nil || errB != nil {
			return
		}
		all := index.MergeLists(a, b)
		if !bytes.Equal(a.Bytes(), first) || !bytes.Equal(b.Bytes(), second) {
			t.Fatal("merging changed a list")
		}
		all = parseBuilds(t, all.Bytes())
		got := ids(all)
		if kept := slices.DeleteFunc(slices.Clone(got), func(id index.BuildID) bool { return !a.Has(id) }); !slices.Equal(kept, ids(a)) {
			t.Fatalf("%q of %q", kept, ids(a))
		}
		for _, e := range slices.Concat(a.Entries(), b.Entries()) {
			if !all.Has(e.ID) && len(all.Problems()) == 0 {
				t.Fatalf("%s is lost", e.ID)
			}
		}
		for _, id := range got {
			if !a.Has(id) && !b.Has(id) && len(a.Problems()) == 0 {
				t.Fatalf("%s came from nowhere", id)
			}
		}
		if again := index.MergeLists(all, b); !bytes.Equal(again.Bytes(), all.Bytes()) {
			t.Fatalf("merged again it differs:\n%s\n%s", all.Bytes(), again.Bytes())
		}
	})
}

// What the garbage collection records keeps all else that the list says.
func TestCleanupKeepsTheRest(t *testing.T) {
	b := parseBuilds(t, testdata(t, "builds-cleanup.json"))
	if err := b.SetCleanup("41.20241231.dev.0", index.Cleanup{Containers: true}); err != nil {
		t.Fatal(err)
	}
	e, _ := b.Entry("41.20241231.dev.0")
	if diff := cmp.Diff(index.Cleanup{CloudUploads: true, Containers: true}, e.Cleanup); diff != "" {
		t.Errorf("a record in the form of a list (-want +got):\n%s", diff)
	}
	if n := b.Tombstone("41.20250101.dev.0", "40.20240101.dev.0"); n != 1 {
		t.Errorf("%d builds died", n)
	}
	stones := parseBuilds(t, b.Bytes()).Tombstones()
	if len(stones) != 2 || stones[0].ID != "41.20250101.dev.0" {
		t.Fatalf("tombstones: %+v", stones)
	}
	want := index.Cleanup{CloudUploads: true, Build: true, Images: true, ImagesKept: []index.Kind{"qemu", "live-iso"}}
	if diff := cmp.Diff(want, stones[0].Cleanup); diff != "" {
		t.Errorf("a tombstone's record (-want +got):\n%s", diff)
	}
	if !bytes.Contains(b.Bytes(), []byte(`"x-note": "kept by caf\u00e9 \ud83d\ude00"`)) {
		t.Error("an unknown key of a tombstone is lost")
	}
}

// Damaged entries stay where they are, and are in nobody's way.
func TestMergeListsDamaged(t *testing.T) {
	a := parseBuilds(t, []byte(`{"schema-version": "1.0.0", "builds": [7, {"id": "2", "arches": ["x"]}, {"id": ""}]}`))
	b := parseBuilds(t, []byte(`{"schema-version": "1.0.0", "builds": [{"id": "3", "arches": ["x"]}, {"id": "/"}, {"id": "2", "arches": ["x", "y"]}, {"id": "1", "arches": []}]}`))
	all := index.MergeLists(a, b)
	if diff := cmp.Diff([]index.BuildID{"3", "2", "1"}, ids(all)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]index.Arch{"x", "y"}, all.Arches("2")); diff != "" {
		t.Error(diff)
	}
	if got := len(all.Problems()); got != 2 {
		t.Errorf("%d problems: %v", got, all.Problems())
	}
}
