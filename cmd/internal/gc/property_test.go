package gc_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cosafs/backend"
	"cosafs/cmd/internal/gc"
	"cosafs/index"
)

// Whatever the tree and the policy: what a list names is there afterwards, and
// what nobody names yet has its time of grace.
func TestNeverDeletesWhatIsNamed(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			tr := newTree(t)
			grow(tr, r)
			o := gc.Options{Policy: somePolicy(r)}
			if r.IntN(3) == 0 {
				o.Roots = []string{some(r, ids(tr.list().Entries()))}
			}
			before := snapshot(tr)
			listed := tr.list()
			o.Dry = true
			foretold := tr.collect(o)
			if got := snapshot(tr); len(got) != len(before) {
				t.Fatalf("seed %d: a dry run deleted", seed)
			}
			o.Dry = false
			done := tr.collect(o)
			if !slices.Equal(foretold.Deleted, done.Deleted) {
				t.Errorf("seed %d: foretold %v\ndone %v", seed, foretold.Deleted, done.Deleted)
			}
			checkNamed(tr, before, listed, o, seed)
			if again := tr.collect(o); len(again.Deleted) > 0 {
				t.Errorf("seed %d: a second run deleted %v", seed, again.Deleted)
			}
			if t.Failed() {
				t.Logf("policy %+v, list before: %s", o, listed.Bytes())
			}
		})
		if t.Failed() {
			return
		}
	}
}

func some[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// grow makes a tree over some weeks.
func grow(tr tree, r *rand.Rand) {
	kinds := []string{"ostree", "qemu", "metal", "live-iso"}
	tr.build("b0", arch, "ostree")
	for i := range 4 + r.IntN(8) {
		id := fmt.Sprintf("b%d", i+1)
		pass(time.Duration(r.IntN(72)) * time.Hour)
		for _, a := range []string{arch, "aarch64"}[:1+r.IntN(2)] {
			has := kinds[:1+r.IntN(len(kinds))]
			switch r.IntN(6) {
			case 0:
				tr.objects(id, a, has...) // never listed
			case 1:
				tr.put(id+"/"+a+"/"+file(id, a, "qemu"), "cut off")
			default:
				tr.build(id, a, has...)
			}
		}
		if r.IntN(4) == 0 && tr.list().Has(index.BuildID(id)) {
			tr.must(tagged(tr, "tag-"+id, id))
		}
		if r.IntN(6) == 0 {
			tr.put(id+"/release.json", "{}")
		}
	}
	tr.put("other/things.txt", "x")
}

func somePolicy(r *rand.Rand) gc.Policy {
	keep := func() gc.Keep {
		return gc.Keep{Newest: r.IntN(5), NewerThan: time.Duration(r.IntN(15)) * day}
	}
	p := gc.Policy{Images: keep(), ImagesKept: []index.Kind{"ostree", "qemu"}[:r.IntN(3)], Unlisted: r.IntN(2) == 0}
	if r.IntN(3) > 0 {
		p.Builds = keep()
	}
	return p
}

func snapshot(tr tree) map[string]backend.Info {
	all := map[string]backend.Info{}
	for info, err := range backend.Walk(tr.Context(), tr.Store, "") {
		tr.must(err)
		all[string(info.Key)] = info
	}
	return all
}

// checkNamed knows nothing of how objects are chosen.
func checkNamed(tr tree, before map[string]backend.Info, listed *index.Builds, o gc.Options, seed uint64) {
	tr.Helper()
	after, list := snapshot(tr), tr.list()
	if got, want := len(list.Entries())+len(list.Tombstones()), len(listed.Entries())+len(listed.Tombstones()); got != want {
		tr.Errorf("seed %d: %d builds and tombstones; want %d", seed, got, want)
	}
	spared := map[index.BuildID]bool{listed.Latest(): true}
	for _, tag := range listed.Tags() {
		spared[tag.Target] = true
	}
	for _, id := range o.Roots {
		spared[index.BuildID(id)] = true
	}
	for key, info := range before {
		if _, ok := after[key]; ok || key == "builds.json.bak" {
			continue
		}
		id, rest, _ := strings.Cut(key, "/")
		a, name, _ := strings.Cut(rest, "/")
		was, e := slices.Contains(listed.Arches(index.BuildID(id)), index.Arch(a)), entry(list, id)
		switch {
		case id == "other":
			tr.Errorf("seed %d: %s is not ours", seed, key)
		case !was && name != "" && !listed.Has(index.BuildID(id)) && time.Since(info.ModTime) <= 7*day:
			tr.Errorf("seed %d: %s was young, somebody may be uploading it", seed, key)
		case was && spared[index.BuildID(id)]:
			tr.Errorf("seed %d: %s is of a build that has to stay", seed, key)
		case was && list.Has(index.BuildID(id)) && !goes(e, name):
			tr.Errorf("seed %d: %s is named by the list and its meta.json: %+v", seed, key, e)
		}
	}
	for _, e := range list.Tombstones() {
		if o.Policy.Builds == (gc.Keep{}) {
			tr.Errorf("seed %d: %s became a tombstone without a policy", seed, e.ID)
		}
	}
}

func entry(l *index.Builds, id string) index.Entry {
	e, _ := l.Entry(index.BuildID(id))
	return e
}

// goes says whether a file of a listed build may be missing, as builds.json says.
func goes(e index.Entry, name string) bool {
	for _, kind := range []index.Kind{"ostree", "qemu", "metal", "live-iso"} {
		for _, a := range e.Arches {
			if name == file(string(e.ID), string(a), string(kind)) {
				return !e.Cleanup.Keeps(kind)
			}
		}
	}
	return false
}
