package gc_test

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cosafs/backend"
	"cosafs/backend/backendtest"
	"cosafs/backend/memstore"
	"cosafs/cmd/internal/gc"
	"cosafs/index"
)

func TestOldBuildsBecomeTombstones(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTree(t)
		for _, id := range []string{"1", "2", "3", "4"} {
			tr.build(id, arch, "ostree", "qemu")
			pass(day)
		}
		tr.must(tagged(tr, "good", "1"))
		before := tr.read("builds.json")
		r := tr.collect(gc.Options{Policy: gc.Policy{Builds: gc.Keep{Newest: 1}}})
		list := tr.list()
		// 4 is the newest of all and 1 has a tag; of the others one stays.
		if got := ids(list.Entries()); !slices.Equal(got, []string{"4", "3", "1"}) {
			t.Errorf("listed are %q", got)
		}
		if got := ids(list.Tombstones()); !slices.Equal(got, []string{"2"}) || !slices.Equal(r.Tombstones, got) {
			t.Errorf("tombstones are %q, the report says %q", got, r.Tombstones)
		}
		if got := list.Tombstones(); len(got) != 1 || !slices.Equal(got[0].Arches, []index.Arch{arch}) {
			t.Errorf("the tombstone lost its architectures: %+v", got)
		}
		if got := tr.below("2"); len(got) != 0 || len(r.Deleted) != 4 || r.Bytes == 0 {
			t.Errorf("of build 2 is left %q; report %+v", got, r)
		}
		for _, id := range []string{"1", "3", "4"} {
			if got := tr.below(id); len(got) != 4 {
				t.Errorf("of build %s is left %q", id, got)
			}
		}
		if tr.read("builds.json.bak") != before {
			t.Error("builds.json.bak is not the list before")
		}
		if again := tr.collect(gc.Options{Policy: gc.Policy{Builds: gc.Keep{Newest: 1}}}); len(again.Deleted) != 0 {
			t.Errorf("a second run deleted %+v", again.Deleted)
		}
	})
}

func tagged(tr tree, name, id string) error {
	tr.edit(func(l *index.Builds) error { return l.SetTag(name, index.BuildID(id), time.Now()) })
	return nil
}

func ids(entries []index.Entry) []string {
	var all []string
	for _, e := range entries {
		all = append(all, string(e.ID))
	}
	return all
}

func TestAgeOfBuilds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTree(t)
		for _, id := range []string{"1", "2", "3", "4"} {
			tr.build(id, arch, "ostree")
			pass(10 * day)
		}
		tr.put("2/x86_64/meta.json", "{") // nobody knows how old
		r := tr.collect(gc.Options{Roots: []string{"3"}, Policy: gc.Policy{Builds: gc.Keep{NewerThan: 15 * day}}})
		if !slices.Equal(r.Tombstones, []string{"1"}) {
			t.Errorf("deleted %q; want 1 alone: 2 is damaged, 3 a root, 4 the newest", r.Tombstones)
		}
	})
}

func TestImagesAreCleanedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTree(t)
		tr.build("1", arch, "ostree", "qemu", "metal")
		tr.build("2", arch, "ostree", "qemu", "metal")
		policy := gc.Policy{Images: gc.Keep{NewerThan: day}, ImagesKept: []index.Kind{"ostree", "qemu"}}
		pass(2 * day)
		r := tr.collect(gc.Options{Policy: policy})
		want := []string{"1/x86_64/commitmeta.json", "1/x86_64/meta.json", "1/x86_64/" + file("1", arch, "ostree"), "1/x86_64/" + file("1", arch, "qemu")}
		slices.Sort(want)
		if got := tr.below("1"); !slices.Equal(got, want) {
			t.Errorf("left is %q; want %q", got, want)
		}
		if got := tr.below("2"); len(got) != 5 || !slices.Equal(r.Cleaned, []string{"1"}) {
			t.Errorf("of the newest is left %q; cleaned %q", got, r.Cleaned)
		}
		if e, _ := tr.list().Entry("1"); !e.Cleanup.Keeps("qemu") || e.Cleanup.Keeps("metal") {
			t.Errorf("recorded is %+v", e.Cleanup)
		}
		if s := compact(tr.read("builds.json")); !strings.Contains(s, `"policy-cleanup":{"images-kept":["ostree","qemu"]}`) {
			t.Errorf("not as cosa records it: %s", s)
		}
		policy.ImagesKept = []index.Kind{"qemu", "metal"} // metal does not come back
		tr.collect(gc.Options{Policy: policy})
		if e, _ := tr.list().Entry("1"); e.Cleanup.Keeps("ostree") || e.Cleanup.Keeps("metal") || !e.Cleanup.Keeps("qemu") {
			t.Errorf("recorded is %+v", e.Cleanup)
		}
		before := tr.read("builds.json")
		if r := tr.collect(gc.Options{Policy: policy}); len(r.Cleaned)+len(r.Deleted) != 0 || tr.read("builds.json") != before {
			t.Errorf("a third run did %+v", r)
		}
	})
}

// A file that is recorded as two artifacts stays if one of them does.
func TestSharedFileStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, kept := range []index.Kind{"qemu", "openstack"} { // the one before and after the other
			tr := newTree(t)
			tr.build("1", arch, "qemu", "metal")
			m, err := index.ParseMeta([]byte(tr.read("1/x86_64/meta.json")))
			tr.must(err)
			im, _ := m.Image("qemu")
			tr.must(m.SetImage("openstack", im))
			tr.put("1/x86_64/meta.json", string(m.Bytes()))
			tr.build("2", arch, "ostree")
			pass(2 * day)
			r := tr.collect(gc.Options{Policy: gc.Policy{Images: gc.Keep{NewerThan: day}, ImagesKept: []index.Kind{kept}}})
			if got := deleted(r); !slices.Equal(got, []string{"1/x86_64/" + file("1", arch, "metal")}) {
				t.Errorf("with %s kept it deleted %q", kept, got)
			}
		}
	})
}

func compact(s string) string { return strings.Join(strings.Fields(s), "") }

func TestOrphans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTree(t)
		tr.build("1", arch, "ostree")
		tr.put("1/release.json", "{}")
		tr.put("0/x86_64/"+file("0", arch, "qemu"), "cut off")       // an upload that ended early
		tr.put("1/aarch64/"+file("1", "aarch64", "qemu"), "cut off") // of another architecture
		tr.objects("lost", arch, "ostree")                           // a whole build
		tr.put("tmp-x86_64/ostree-commit", "signing")
		tr.put("photos/beach.jpg", "mine")
		tr.put("index.html", "hello")
		tr.put("builds.json.old", "{}")
		pass(6 * day)
		if r := tr.collect(gc.Options{}); len(r.Deleted) != 0 {
			t.Errorf("deleted in the time of grace: %+v", r.Deleted)
		}
		tr.put("0/x86_64/commitmeta.json", "{}") // somebody goes on with it
		pass(2 * day)
		r := tr.collect(gc.Options{})
		if got := deleted(r); !slices.Equal(got, []string{"1/aarch64/" + file("1", "aarch64", "qemu")}) {
			t.Errorf("deleted %q", got)
		}
		pass(8 * day)
		r = tr.collect(gc.Options{})
		if got := deleted(r); len(got) != 2 || !strings.HasPrefix(got[0], "0/") || !strings.HasPrefix(got[1], "0/") {
			t.Errorf("deleted %q", got)
		}
		if all := strings.Join(r.Notes, "\n"); !strings.Contains(all, "lost/") || !strings.Contains(all, "photos/") {
			t.Errorf("notes: %q", r.Notes)
		}
		r = tr.collect(gc.Options{Policy: gc.Policy{Unlisted: true}})
		if got := deleted(r); len(got) != 3 || len(tr.below("lost")) != 0 {
			t.Errorf("deleted %q", got)
		}
		for _, key := range []string{"photos/beach.jpg", "index.html", "builds.json.old", "tmp-x86_64/ostree-commit", "1/release.json"} {
			if !tr.has(key) {
				t.Errorf("%s is gone", key)
			}
		}
	})
}

func deleted(r gc.Report) []string {
	var all []string
	for _, o := range r.Deleted {
		all = append(all, o.Key)
	}
	return all
}

// A lease of a build, also below the root, keeps it.
func TestLeaseKeeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTree(t)
		tr.build("1", arch, "ostree")
		tr.build("2", arch, "ostree")
		tr.put(".cosafs/locks/1/x86_64/qemu.json", "{}")
		tr.put("0/x86_64/"+file("0", arch, "qemu"), "being uploaded, slowly")
		tr.put(".cosafs/locks/0/x86_64/qemu.json", "{}")
		pass(100 * day)
		if r := tr.collect(gc.Options{Policy: gc.Policy{Builds: gc.Keep{NewerThan: day}}}); len(r.Deleted) != 0 {
			t.Errorf("deleted %+v", r.Deleted)
		}
	})
}

func TestDryRunChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTree(t)
		for _, id := range []string{"1", "2", "3", "4"} {
			tr.build(id, arch, "ostree", "qemu")
		}
		policy := gc.Policy{Builds: gc.Keep{Newest: 2}, Images: gc.Keep{Newest: 1}}
		before := tr.keys()
		counted, n := backendtest.Counting(tr.Store)
		dry := tr.collect(gc.Options{Store: counted, Dry: true, Policy: policy})
		if n.Calls(backendtest.Put)+n.Calls(backendtest.Delete) != 0 || !slices.Equal(tr.keys(), before) {
			t.Error("a dry run wrote")
		}
		if r := tr.collect(gc.Options{Policy: policy}); !slices.Equal(r.Deleted, dry.Deleted) || r.Bytes != dry.Bytes ||
			!slices.Equal(r.Tombstones, dry.Tombstones) || !slices.Equal(r.Cleaned, dry.Cleaned) || len(r.Deleted) == 0 {
			t.Errorf("foretold %+v; done %+v", dry, r)
		}
	})
}

var errCut = errors.New("connection cut")

// The list changes first: a run that can't delete leaves what the next one
// deletes.
func TestNextRunFinishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTree(t)
		for _, id := range []string{"1", "2", "3"} {
			tr.build(id, arch, "ostree", "qemu")
		}
		pass(time.Minute)
		broken := backendtest.Faulty(tr.Store, backendtest.Fault{Op: backendtest.Delete, Err: errCut})
		policy := gc.Policy{Builds: gc.Keep{Newest: 1}, Images: gc.Keep{Newest: 1}, ImagesKept: []index.Kind{"ostree"}}
		r, err := gc.Run(t.Context(), gc.Options{Store: broken, Policy: policy})
		if !errors.Is(err, errCut) || len(r.Deleted) != 0 {
			t.Errorf("%v, report %+v; want the store's error", err, r)
		}
		if got := ids(tr.list().Entries()); !slices.Equal(got, []string{"3", "2"}) || len(tr.below("1")) == 0 {
			t.Errorf("listed are %q", got)
		}
		tr.collect(gc.Options{}) // no policy is needed to finish
		if got := tr.below("1"); len(got) != 0 {
			t.Errorf("left is %q", got)
		}
	})
}

func TestLostAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTree(t)
		tr.build("1", arch, "ostree")
		tr.build("2", arch, "ostree")
		tr.build("3", arch, "ostree")
		faulty := backendtest.Faulty(tr.Store,
			backendtest.Fault{Op: backendtest.Put, Key: "builds.json", Nth: 1, Late: true, Err: errCut},
			backendtest.Fault{Op: backendtest.Delete, Nth: 1, Late: true, Err: errCut},
			backendtest.Fault{Op: backendtest.Delete, Nth: 2, Err: errCut})
		r := tr.collect(gc.Options{Store: faulty, Policy: gc.Policy{Builds: gc.Keep{Newest: 1}}})
		if got := tr.below("1"); len(got) != 0 || len(r.Deleted) != 3 {
			t.Errorf("left is %q, deleted %+v", got, r.Deleted)
		}
		if got := len(tr.list().Tombstones()); got != 1 {
			t.Errorf("%d tombstones", got)
		}
	})
}

// Without knowing all, nothing goes.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(tr tree) backend.Store
		policy  gc.Policy
		want    error
	}{
		"no list": {func(tr tree) backend.Store {
			tr.must(tr.Delete(tr.Context(), "builds.json", backend.Cond{}))
			return tr.Store
		}, gc.Policy{}, fs.ErrNotExist},
		"a damaged list":           {withList(`{"builds": [`), gc.Policy{}, index.ErrSyntax},
		"a damaged entry":          {withList(`{"schema-version": "1.0.0", "builds": [{"id": "../x"}]}`), gc.Policy{}, fs.ErrInvalid},
		"a list without arches":    {withList(`{"builds": ["1"]}`), gc.Policy{}, errors.ErrUnsupported},
		"a walk that breaks":       {faulty(backendtest.Fault{Op: backendtest.List, Err: errCut}), gc.Policy{}, errCut},
		"an unreadable meta.json":  {faulty(backendtest.Fault{Op: backendtest.Stat, Key: "1/x86_64/meta.json", Err: errCut}), gc.Policy{Images: gc.Keep{Newest: 1}}, errCut},
		"a list that can't change": {faulty(backendtest.Fault{Op: backendtest.Put, Key: "builds.json", Err: fs.ErrPermission}), gc.Policy{Builds: gc.Keep{Newest: 1}}, fs.ErrPermission},
		"no backup":                {faulty(backendtest.Fault{Op: backendtest.Put, Key: "builds.json.bak", Err: fs.ErrPermission}), gc.Policy{Builds: gc.Keep{Newest: 1}}, fs.ErrPermission},
		"a negative number":        {faulty(), gc.Policy{Builds: gc.Keep{Newest: -1}}, fs.ErrInvalid},
		"no grace":                 {faulty(), gc.Policy{Grace: time.Hour}, fs.ErrInvalid},
		"a store that can't list":  {func(tr tree) backend.Store { return listless{tr.Store} }, gc.Policy{}, errors.ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := newTree(t)
				for _, id := range []string{"1", "2", "3"} {
					tr.build(id, arch, "ostree")
				}
				tr.put("0/x86_64/"+file("0", arch, "qemu"), "cut off")
				pass(30 * day)
				s := c.prepare(tr)
				before := tr.keys()
				if _, err := gc.Run(t.Context(), gc.Options{Store: s, Policy: c.policy}); !errors.Is(err, c.want) {
					t.Errorf("%v; want %v", err, c.want)
				}
				if got := slices.DeleteFunc(tr.keys(), func(k string) bool { return k == "builds.json.bak" }); !slices.Equal(got, before) {
					t.Errorf("left is %q; want %q", got, before)
				}
			})
		})
	}
}

func withList(data string) func(tree) backend.Store {
	return func(tr tree) backend.Store {
		tr.put("builds.json", data)
		return tr.Store
	}
}

func faulty(plan ...backendtest.Fault) func(tree) backend.Store {
	return func(tr tree) backend.Store { return backendtest.Faulty(tr.Store, plan...) }
}

type listless struct{ *memstore.Store }

// Properties implements [backend.Store].
func (listless) Properties() backend.Properties { return backend.Properties{Ranges: true} }
