package upload_test

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"testing"
	"testing/synctest"

	"cosafs/backend"
	"cosafs/backend/backendtest"
	"cosafs/backend/memstore"
	"cosafs/cmd/internal/upload"
	"cosafs/index"
)

var errCut = errors.New("connection cut")

// Whatever write fails for good, builds.json stays as it was.
func TestFailureLeavesListAlone(t *testing.T) {
	keys := []string{
		"1/release.json", "1/x86_64/commitmeta.json", "1/x86_64/meta.json",
		"1/x86_64/" + fileName("ostree", "1", arch), "1/x86_64/" + fileName("qemu", "1", arch), "builds.json",
	}
	for _, key := range keys {
		t.Run(key, func(t *testing.T) {
			w, s := newWorkdir(t), &memstore.Store{}
			w.build("0", arch, "ostree")
			w.upload(w.to(s))
			list := object(t, s, "builds.json")
			w.build("1", arch, "ostree", "qemu")
			w.write("builds/1/release.json", []byte("{}"))
			faulty := backendtest.Faulty(s, backendtest.Fault{Op: backendtest.Put, Key: backend.Key(key), Err: fs.ErrPermission})
			if _, err := upload.Run(t.Context(), w.to(faulty)); !errors.Is(err, fs.ErrPermission) {
				t.Errorf("%v; want ErrPermission", err)
			}
			if object(t, s, "builds.json") != list {
				t.Error("builds.json changed")
			}
			if r := w.upload(w.to(s)); !r.Listed { // the next run goes on
				t.Error("the next upload did not list the build")
			}
			sound(t, s)
		})
	}
}

// A write that happened, but whose answer was lost, is a success; one that did
// not happen is done again.
func TestLostAnswers(t *testing.T) {
	for _, late := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w, s := newWorkdir(t), &memstore.Store{}
			w.build("1", arch, "ostree", "qemu")
			var plan []backendtest.Fault
			for _, key := range []string{"1/x86_64/meta.json", "1/x86_64/" + fileName("qemu", "1", arch), "builds.json"} {
				plan = append(plan, backendtest.Fault{Op: backendtest.Put, Key: backend.Key(key), Nth: 1, Late: late, Err: errCut})
			}
			if r := w.upload(w.to(backendtest.Faulty(s, plan...))); !r.Listed {
				t.Errorf("late %v: not listed", late)
			}
			if got := len(listOf(t, s).Entries()); got != 1 {
				t.Errorf("late %v: %d builds are listed", late, got)
			}
			sound(t, s)
		})
	}
}

// Between reading and writing builds.json somebody else publishes, again and
// again.
func TestLosesNoBuildOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &memstore.Store{}
		w, rival := newWorkdir(t), newWorkdir(t)
		w.build("mine", arch, "ostree")
		interfering := &interfering{Store: s, left: 5, before: func(n int) {
			id := string(rune('a' + n))
			rival.build(id, arch, "ostree")
			rival.upload(rival.to(s))
		}}
		w.upload(w.to(interfering))
		list := listOf(t, s)
		if got := len(list.Entries()); got != 6 || !list.Has("mine") {
			t.Errorf("%d builds are listed; want all 6", got)
		}
		sound(t, s)
	})
}

// interfering lets others work right before builds.json is written.
type interfering struct {
	*memstore.Store
	left   int
	before func(n int)
}

// Put implements [backend.Writer].
func (i *interfering) Put(ctx context.Context, key backend.Key, src backend.Source, cond backend.Cond) (backend.Info, error) {
	if key == "builds.json" && i.left > 0 {
		i.left--
		i.before(i.left)
	}
	return i.Store.Put(ctx, key, src, cond)
}

// The first artifact of a name stays; the other uploader is told.
func TestTwoWithOtherBytesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &memstore.Store{}
		a, b := newWorkdir(t), newWorkdir(t)
		a.build("1", arch, "ostree", "qemu")
		b.build("1", arch, "ostree")
		b.artifact("1", arch, "qemu", content("QEMU", "1", arch)) // as long
		key := backend.Key("1/x86_64/" + fileName("qemu", "1", arch))
		racing := &racing{Store: s, key: key, first: func() { b.upload(b.to(s)) }}
		if _, err := upload.Run(t.Context(), a.to(racing)); !errors.Is(err, fs.ErrExist) {
			t.Errorf("the second: %v; want ErrExist", err)
		}
		sound(t, s)
	})
}

// Somebody who is not as careful was first with an object; no meta.json tells.
func TestNeverRecordsBytesOfOthers(t *testing.T) {
	w, s := newWorkdir(t), digestless{&memstore.Store{}}
	w.build("1", arch, "ostree", "qemu")
	key := backend.Key("1/x86_64/" + fileName("qemu", "1", arch))
	racing := &racing{Store: s.Store, key: key, first: func() { put(t, s, string(key), content("QEMU", "1", arch)) }}
	if _, err := upload.Run(t.Context(), w.to(racing)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v; want ErrExist", err)
	}
	if got := keys(t, s); slices.Contains(got, "1/x86_64/meta.json") || slices.Contains(got, "builds.json") {
		t.Errorf("the store has %q", got)
	}
}

// racing lets somebody else be first with a key.
type racing struct {
	*memstore.Store
	key   backend.Key
	first func()
}

// Put implements [backend.Writer].
func (r *racing) Put(ctx context.Context, key backend.Key, src backend.Source, cond backend.Cond) (backend.Info, error) {
	if key == r.key && r.first != nil {
		first := r.first
		r.first = nil
		first()
	}
	return r.Store.Put(ctx, key, src, cond)
}

// By force somebody replaces what was just sent, before meta.json tells of it.
func TestReplacedDuringUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &memstore.Store{}
		a, b := newWorkdir(t), newWorkdir(t)
		a.build("1", arch, "ostree", "qemu")
		b.build("1", arch, "ostree")
		b.artifact("1", arch, "qemu", "other bytes")
		racing := &racing{Store: s, key: "1/x86_64/meta.json", first: func() {
			o := b.to(s)
			o.Force = true
			b.upload(o)
		}}
		if _, err := upload.Run(t.Context(), a.to(racing)); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%v; want ErrExist", err)
		}
		sound(t, s)
	})
}

// A store that fails for good is given up on at last, and the error is its own.
func TestGivesUpOnDeadStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorkdir(t), &memstore.Store{}
		w.build("1", arch, "ostree")
		dead := backendtest.Faulty(s, backendtest.Fault{Op: backendtest.Put, Key: "builds.json", Err: errCut})
		if _, err := upload.Run(t.Context(), w.to(dead)); !errors.Is(err, errCut) {
			t.Errorf("%v; want the store's error", err)
		}
	})
}

// An object that garbage collection took while the build was not listed yet is
// sent again.
func TestSendsAgainWhatVanished(t *testing.T) {
	w, s := newWorkdir(t), &memstore.Store{}
	w.build("1", arch, "ostree", "qemu")
	key := backend.Key("1/x86_64/" + fileName("qemu", "1", arch))
	thief := &interfering{Store: s, left: 1, before: func(int) {
		w.must(s.Delete(w.Context(), key, backend.Cond{}))
	}}
	w.upload(w.to(thief))
	sound(t, s)
}

// A store that refuses conditions is found out before anything was sent to it,
// if it can tell.
func TestStoreWithoutConditions(t *testing.T) {
	w, s := newWorkdir(t), &memstore.Store{}
	w.build("1", arch, "ostree")
	if _, err := upload.Run(t.Context(), w.to(&unconditional{s})); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v; want ErrUnsupported", err)
	}
	if got := keys(t, s); len(got) != 0 {
		t.Errorf("it was sent %q", got)
	}
}

type unconditional struct{ *memstore.Store }

// CheckConditions is what stores that probe have.
func (unconditional) CheckConditions(context.Context) error { return errors.ErrUnsupported }

// A lost build is told while it is uploaded, too.
func TestDeletedDuringUpload(t *testing.T) {
	w, s := newWorkdir(t), &memstore.Store{}
	w.build("1", arch, "ostree")
	gone := &interfering{Store: s, left: 1, before: func(int) {
		put(t, s, "builds.json", `{"schema-version": "1.0.0", "builds": [], "tombstone-builds": [{"id": "1", "arches": ["x86_64"]}]}`)
	}}
	if _, err := upload.Run(t.Context(), w.to(gone)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v; want ErrExist", err)
	}
	if listOf(t, s).Has(index.BuildID("1")) {
		t.Error("the build is listed")
	}
}
