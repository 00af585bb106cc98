package gc_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"

	"cosafs/backend"
	"cosafs/backend/memstore"
	"cosafs/cmd/internal/gc"
	"cosafs/cmd/internal/upload"
	"cosafs/index"
)

// workdir makes a workdir with one build of one artifact.
func workdir(t *testing.T, id string) upload.Options {
	t.Helper()
	dir := t.TempDir()
	sum := sha256.Sum256([]byte("qemu"))
	m := index.NewMeta()
	err := errors.Join(m.Set("buildid", id), m.SetImage("qemu",
		index.Image{Path: file(id, arch, "qemu"), SHA256: hex.EncodeToString(sum[:]), Size: 4}))
	l := index.NewBuilds()
	err = errors.Join(err, l.Insert(index.BuildID(id), arch))
	at := filepath.Join(dir, "builds", id, arch)
	err = errors.Join(err, os.MkdirAll(at, 0o755),
		os.WriteFile(filepath.Join(at, "meta.json"), m.Bytes(), 0o644),
		os.WriteFile(filepath.Join(at, file(id, arch, "qemu")), []byte("qemu"), 0o644),
		os.WriteFile(filepath.Join(dir, "builds", "builds.json"), l.Bytes(), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	return upload.Options{Workdir: dir, URL: "s3://b/builds"}
}

// At each write of an upload a collection runs, while what a broken upload left
// there is old enough to go. The upload ends well, with all it listed.
func TestCollectionDuringUpload(t *testing.T) {
	policy := gc.Policy{Builds: gc.Keep{Newest: 1}, Unlisted: true}
	for n := 1; n <= 4; n++ {
		synctest.Test(t, func(t *testing.T) {
			tr := newTree(t)
			for _, id := range []string{"1", "2", "3"} {
				tr.build(id, arch, "ostree")
			}
			o := workdir(t, "new")
			tr.put("new/x86_64/"+file("new", arch, "qemu"), "qemu") // left by an upload that broke off
			pass(30 * day)
			o.Dest = &disturbed{Store: tr.Store, nth: n, by: func() { tr.collect(gc.Options{Policy: policy}) }}
			if _, err := upload.Run(t.Context(), o); err != nil {
				t.Fatalf("disturbed at write %d: %v", n, err)
			}
			if !tr.list().Has("new") || len(tr.below("new")) != 2 {
				t.Errorf("disturbed at write %d: left is %q", n, tr.below("new"))
			}
		})
	}
}

// disturbed lets others work right before one of its writes.
type disturbed struct {
	*memstore.Store
	nth int
	by  func()
}

// Put implements [backend.Writer].
func (d *disturbed) Put(ctx context.Context, key backend.Key, src backend.Source, cond backend.Cond) (backend.Info, error) {
	if d.nth--; d.nth == 0 {
		d.by()
	}
	return d.Store.Put(ctx, key, src, cond)
}

// While a collection writes its list and deletes, others publish, tag and upload.
func TestUploadDuringCollection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTree(t)
		for _, id := range []string{"1", "2", "3", "4"} {
			tr.build(id, arch, "ostree")
		}
		tr.put("new/x86_64/"+file("new", arch, "qemu"), "qemu")
		tr.put("slow/x86_64/"+file("slow", arch, "qemu"), "qemu")
		tr.objects("lost", arch, "ostree")
		o := workdir(t, "new")
		o.Dest = tr.Store
		pass(30 * day)
		s := &disturbed{Store: tr.Store, nth: 2, by: func() { // 1 is builds.json.bak
			if _, err := upload.Run(t.Context(), o); err != nil {
				t.Errorf("upload: %v", err)
			}
			tr.must(tagged(tr, "good", "1"))
			tr.build("2", "aarch64", "ostree")                                     // another machine adds an architecture
			tr.put("slow/x86_64/"+file("slow", arch, "qemu"), "qemu")              // sent again, listed later
			tr.edit(func(l *index.Builds) error { return l.Insert("lost", arch) }) // found again
		}}
		r := tr.collect(gc.Options{Store: s, Policy: gc.Policy{Builds: gc.Keep{NewerThan: day}, Unlisted: true}})
		if !slices.Equal(r.Tombstones, []string{"3"}) || len(r.Notes) != 2 {
			t.Errorf("deleted %q, notes %q; want 3 alone", r.Tombstones, r.Notes)
		}
		list := tr.list()
		for _, id := range []string{"new", "1", "2", "4", "lost"} {
			if !list.Has(index.BuildID(id)) || len(tr.below(id)) < 2 {
				t.Errorf("of %s is left %q", id, tr.below(id))
			}
		}
		if len(tr.below("slow")) != 1 {
			t.Error("what was sent again is gone")
		}
		if len(tr.below("3")) != 0 {
			t.Errorf("of 3 is left %q", tr.below("3"))
		}
	})
}

// A build that was deleted while somebody added to it tells him so.
func TestUploadToDeletedBuild(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTree(t)
		tr.build("1", "aarch64", "ostree")
		tr.build("2", arch, "ostree")
		tr.build("3", arch, "ostree")
		pass(30 * day)
		o := workdir(t, "1")
		o.Dest = &disturbed{Store: tr.Store, nth: 3, by: func() {
			tr.collect(gc.Options{Policy: gc.Policy{Builds: gc.Keep{NewerThan: day}}})
		}}
		if _, err := upload.Run(t.Context(), o); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%v; want ErrExist", err)
		}
		if got := tr.below("1/x86_64"); len(got) != 2 {
			t.Errorf("of what was being uploaded is left %q", got)
		}
		o.Force = true
		if _, err := upload.Run(t.Context(), o); err != nil || !tr.list().Has("1") {
			t.Errorf("by force: %v", err)
		}
	})
}
