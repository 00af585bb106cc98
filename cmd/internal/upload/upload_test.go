package upload_test

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"cosafs/backend"
	"cosafs/backend/backendtest"
	"cosafs/backend/memstore"
	"cosafs/cmd/internal/upload"
	"cosafs/index"
)

func sentKeys(r upload.Report) []string {
	var all []string
	for _, o := range r.Sent {
		all = append(all, o.Key)
	}
	return all
}

func whyOf(objects []upload.Object, key string) string {
	for _, o := range objects {
		if strings.HasSuffix(o.Key, key) {
			return o.Why
		}
	}
	return ""
}

func TestUploadsWholeBuild(t *testing.T) {
	w, s := newWorkdir(t), &memstore.Store{}
	w.build("1", arch, "ostree", "qemu")
	w.write("builds/1/release.json", []byte("{}"))
	for _, junk := range []string{".meta.json.lock", ".qemu.building", "tmpab12_xyz"} {
		w.write("builds/1/x86_64/"+junk, []byte("junk"))
	}
	before := w.read("builds/1/x86_64/meta.json")
	r := w.upload(w.to(s))
	want := []string{
		"1/release.json", "1/x86_64/commitmeta.json", "1/x86_64/meta.json",
		"1/x86_64/" + fileName("ostree", "1", arch), "1/x86_64/" + fileName("qemu", "1", arch), "builds.json",
	}
	if got := keys(t, s); !slices.Equal(got, sorted(want)) {
		t.Errorf("the store has %q; want %q", got, want)
	}
	if got := sentKeys(r); !slices.Equal(sorted(got), sorted(want)) || !r.Listed || r.Build != "1" {
		t.Errorf("report %+v", r)
	}
	if got := object(t, s, "1/x86_64/meta.json"); got != string(before) {
		t.Errorf("meta.json is not what is here:\n%s", got)
	}
	sound(t, s)
	if got := string(w.read("tmp/builds-source.txt")); got != "s3://bucket/builds\n" {
		t.Errorf("builds-source.txt: %q", got)
	}
	if got := w.read("tmp/builds-source.json"); string(got) != string(w.read("builds/builds.json")) {
		t.Errorf("builds-source.json differs from the list here:\n%s", got)
	}
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

// The list here has a build that the store's has not: a fetch must not overwrite it.
func TestSourceOfPartialUpload(t *testing.T) {
	w, s := newWorkdir(t), &memstore.Store{}
	w.build("1", arch, "ostree")
	w.build("2", arch, "ostree")
	if r := w.upload(w.to(s)); r.Build != "2" {
		t.Fatalf("uploaded %s; want the newest", r.Build)
	}
	if got := w.read("tmp/builds-source.json"); string(got) != object(t, s, "builds.json") {
		t.Errorf("builds-source.json is not the store's list:\n%s", got)
	}
}

func TestSecondUploadSendsWhatDiffers(t *testing.T) {
	w := newWorkdir(t)
	w.build("1", arch, "ostree", "qemu")
	s := &memstore.Store{}
	w.upload(w.to(s))
	counted, n := backendtest.Counting(s)
	r := w.upload(w.to(counted))
	if got := n.Calls(backendtest.Put); got != 0 || len(r.Sent) != 0 || r.Bytes != 0 || !r.Listed {
		t.Errorf("the second upload put %d objects, report %+v", got, r)
	}
	w.artifact("1", arch, "metal", "a new disk")
	r = w.upload(w.to(counted))
	want := []string{"1/x86_64/" + fileName("metal", "1", arch), "1/x86_64/meta.json"}
	if got := n.Calls(backendtest.Put); got != 2 || !slices.Equal(sentKeys(r), want) {
		t.Errorf("the third upload put %d objects: %q; want %q", got, sentKeys(r), want)
	}
	sound(t, s)
}

// A store that keeps no digests is believed in what its meta.json says.
func TestMetaOfStoreTellsDigests(t *testing.T) {
	w, s := newWorkdir(t), digestless{&memstore.Store{}}
	w.build("1", arch, "ostree", "qemu")
	w.upload(w.to(s))
	r := w.upload(w.to(s))
	if got := sentKeys(r); !slices.Equal(got, []string{"1/x86_64/commitmeta.json"}) {
		t.Errorf("the second upload sent %q", got)
	}
}

func TestDryRunSendsNothing(t *testing.T) {
	w := newWorkdir(t)
	w.build("1", arch, "ostree", "qemu")
	s, n := backendtest.Counting(&memstore.Store{})
	o := w.to(s)
	o.DryRun = true
	r := w.upload(o)
	if n.Calls(backendtest.Put)+n.Calls(backendtest.Delete) != 0 {
		t.Error("a dry run wrote")
	}
	if got := len(r.Sent); got != 5 || r.Listed || whyOf(r.Sent, "qcow2") == "" || r.Bytes == 0 {
		t.Errorf("report %+v", r)
	}
	if _, err := fs.Stat(os.DirFS(w.dir), "tmp/builds-source.txt"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a dry run recorded the destination: %v", err)
	}
}

func TestKeepsOthersBuildsInOrder(t *testing.T) {
	s := &memstore.Store{}
	a, b := newWorkdir(t), newWorkdir(t)
	a.build("1", arch, "ostree")
	b.build("2", arch, "ostree")
	b.build("3", arch, "ostree")
	a.upload(a.to(s))
	b.upload(b.to(s))
	o := b.to(s)
	o.Build = "2"
	b.upload(o)
	list := listOf(t, s)
	var ids []index.BuildID
	for _, e := range list.Entries() {
		ids = append(ids, e.ID)
	}
	// 2 is older than 3, as its workdir says.
	if at2, at3 := slices.Index(ids, "2"), slices.Index(ids, "3"); len(ids) != 3 || at3 > at2 || !list.Has("1") {
		t.Errorf("the list is %q", ids)
	}
	if list.Timestamp().IsZero() {
		t.Error("the list has no timestamp")
	}
	sound(t, s)
}

func TestArchesOfTwoMachines(t *testing.T) {
	s := &memstore.Store{}
	a, b := newWorkdir(t), newWorkdir(t)
	a.build("1", arch, "ostree")
	b.build("1", "aarch64", "ostree")
	b.editList(func(l *index.Builds) error { return l.Insert("1", arch) }) // known there, not here
	a.upload(a.to(s))
	r := b.upload(b.to(s))
	if got := listOf(t, s).Arches("1"); !slices.Equal(got, []index.Arch{arch, "aarch64"}) {
		t.Errorf("arches are %q", got)
	}
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], arch) {
		t.Errorf("notes %q; want one about x86_64", r.Notes)
	}
	sound(t, s)
}

func TestArtifactsInParts(t *testing.T) {
	w, s := newWorkdir(t), &memstore.Store{}
	w.build("1", arch, "ostree", "qemu", "metal")
	o := w.to(s)
	o.Artifacts = []string{"ostree", "qemu"}
	w.upload(o)
	if _, ok := metaOf(t, s, "1", arch).Image("metal"); ok {
		t.Error("meta.json of the store names metal, which was not sent")
	}
	sound(t, s)
	if m, err := index.ParseMeta(w.read("builds/1/x86_64/meta.json")); err != nil || len(m.Images()) != 3 {
		t.Errorf("the meta.json here was changed, %v", err)
	}
	o.Artifacts = []string{"metal"}
	w.upload(o)
	if got := len(metaOf(t, s, "1", arch).Images()); got != 3 {
		t.Errorf("meta.json of the store has %d images; want all 3", got)
	}
	sound(t, s)
}

// Two machines add artifacts to one build; both start from what was published.
func TestMetaIsMerged(t *testing.T) {
	s := &memstore.Store{}
	a, b := newWorkdir(t), newWorkdir(t)
	for _, w := range []workdir{a, b} {
		w.build("1", arch, "ostree")
	}
	a.artifact("1", arch, "qemu", "qemu by a")
	b.artifact("1", arch, "metal", "metal by b")
	a.upload(a.to(s))
	b.upload(b.to(s))
	a.upload(a.to(s))
	if got := len(metaOf(t, s, "1", arch).Images()); got != 3 {
		t.Errorf("meta.json of the store has %d images; want ostree, qemu and metal", got)
	}
	counted, n := backendtest.Counting(s)
	a.upload(a.to(counted))
	b.upload(b.to(counted))
	if got := n.Calls(backendtest.Put); got != 0 {
		t.Errorf("uploads of what is there put %d objects", got)
	}
	sound(t, s)
}

func TestPublishedBytesStay(t *testing.T) {
	s := &memstore.Store{}
	a, b := newWorkdir(t), newWorkdir(t)
	for _, w := range []workdir{a, b} {
		w.build("1", arch, "ostree", "qemu")
	}
	b.artifact("1", arch, "qemu", "other bytes")
	a.upload(a.to(s))
	list := object(t, s, "builds.json")
	for _, later := range []time.Duration{0, 1000 * time.Hour} {
		o := b.to(s)
		o.Now = func() time.Time { return time.Now().Add(later) }
		if _, err := upload.Run(t.Context(), o); !errors.Is(err, fs.ErrExist) {
			t.Errorf("other bytes for a published artifact after %v: %v; want ErrExist", later, err)
		}
	}
	if object(t, s, "builds.json") != list {
		t.Error("builds.json changed")
	}
	sound(t, s)
	o := b.to(s)
	o.Force = true
	b.upload(o)
	sound(t, s)
	if got := object(t, s, "1/x86_64/"+fileName("qemu", "1", arch)); got != "other bytes" {
		t.Errorf("--force left %q", got)
	}
}

// Nobody has fetched what no list names. But somebody may be uploading it.
func TestUnlistedBytesAreReplacedWhenOld(t *testing.T) {
	w, s := newWorkdir(t), &memstore.Store{}
	w.build("1", arch, "ostree", "qemu")
	key := "1/x86_64/" + fileName("qemu", "1", arch)
	put(t, s, key, "of an upload that broke off")
	if _, err := upload.Run(t.Context(), w.to(s)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a young object: %v; want ErrExist", err)
	}
	o := w.to(s)
	o.Now = func() time.Time { return time.Now().Add(48 * time.Hour) }
	w.upload(o)
	sound(t, s)
}

// What lies unlisted for long may be deleted as garbage any moment.
func TestOldLeftoversAreSentAgain(t *testing.T) {
	w := newWorkdir(t)
	w.build("1", arch, "ostree", "qemu")
	s := &memstore.Store{}
	o := w.to(s)
	o.SkipBuildsJSON = true
	if r := w.upload(o); r.Listed {
		t.Error("listed without builds.json")
	}
	if r := w.upload(o); len(r.Sent) != 0 {
		t.Errorf("sent again: %q", sentKeys(r))
	}
	o.Now = func() time.Time { return time.Now().Add(25 * time.Hour) }
	if r := w.upload(o); len(r.Sent) != 3 {
		t.Errorf("sent %q; want all files", sentKeys(r))
	}
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(w workdir, s *memstore.Store, o *upload.Options)
		want    error
	}{
		"no such build":        {func(_ workdir, _ *memstore.Store, o *upload.Options) { o.Build = "9" }, fs.ErrNotExist},
		"no such architecture": {func(_ workdir, _ *memstore.Store, o *upload.Options) { o.Arches = []string{"s390x"} }, fs.ErrNotExist},
		"no workdir":           {func(_ workdir, _ *memstore.Store, o *upload.Options) { o.Workdir += "/none" }, fs.ErrNotExist},
		"a list without architectures here": {func(w workdir, _ *memstore.Store, _ *upload.Options) {
			w.write("builds/builds.json", []byte(`{"builds": ["1"]}`))
		}, errors.ErrUnsupported},
		"a list without architectures there": {func(w workdir, s *memstore.Store, _ *upload.Options) {
			put(w.T, s, "builds.json", `{"builds": ["0"]}`)
		}, errors.ErrUnsupported},
		"a damaged list there": {func(w workdir, s *memstore.Store, _ *upload.Options) {
			put(w.T, s, "builds.json", `{"builds": [`)
		}, index.ErrSyntax},
		"a file that is nowhere": {func(w workdir, _ *memstore.Store, _ *upload.Options) {
			w.editMeta("1", arch, func(m *index.Meta) error {
				return m.SetImage("metal", index.Image{Path: "gone", SHA256: sum("gone"), Size: 4})
			})
		}, fs.ErrNotExist},
		"a damaged file": {func(w workdir, _ *memstore.Store, _ *upload.Options) {
			w.write("builds/1/x86_64/"+fileName("qemu", "1", arch), []byte(strings.ToUpper(content("qemu", "1", arch))))
		}, backend.ErrDigest},
		"a file of another size": {func(w workdir, _ *memstore.Store, _ *upload.Options) {
			w.write("builds/1/x86_64/"+fileName("qemu", "1", arch), []byte("short"))
		}, backend.ErrDigest},
		"a build that was deleted there": {func(w workdir, s *memstore.Store, _ *upload.Options) {
			put(w.T, s, "builds.json", `{"schema-version": "1.0.0", "builds": [], "tombstone-builds": [{"id": "1", "arches": ["x86_64"]}]}`)
		}, fs.ErrExist},
		"another build of that id": {func(w workdir, s *memstore.Store, _ *upload.Options) {
			put(w.T, s, "1/x86_64/meta.json", `{"buildid": "1", "ostree-commit": "`+sum("another")+`"}`)
		}, index.ErrConflict},
	} {
		t.Run(name, func(t *testing.T) {
			w, s := newWorkdir(t), &memstore.Store{}
			w.build("1", arch, "ostree", "qemu")
			o := w.to(s)
			c.prepare(w, s, &o)
			before, _ := s.Stat(t.Context(), "builds.json")
			if _, err := upload.Run(t.Context(), o); !errors.Is(err, c.want) {
				t.Errorf("%v; want %v", err, c.want)
			}
			if after, _ := s.Stat(t.Context(), "builds.json"); after != before {
				t.Error("builds.json was written")
			}
		})
	}
}

func TestForceListsDeletedBuildAgain(t *testing.T) {
	w, s := newWorkdir(t), &memstore.Store{}
	w.build("1", arch, "ostree")
	put(t, s, "builds.json", `{"schema-version": "1.0.0", "builds": [], "tombstone-builds": [{"id": "1", "arches": ["x86_64"]}]}`)
	o := w.to(s)
	o.Force = true
	w.upload(o)
	if !listOf(t, s).Has("1") {
		t.Error("the build is not listed")
	}
	sound(t, s)
}

// What garbage collection took is not sent again, and is no reason to fail.
func TestCleanedArtifactsStayAway(t *testing.T) {
	w, s := newWorkdir(t), &memstore.Store{}
	w.build("1", arch, "ostree", "qemu")
	put(t, s, "builds.json", `{"schema-version": "1.0.0", "builds": [{"id": "1", "arches": ["x86_64"], "policy-cleanup": {"images-kept": ["ostree"]}}]}`)
	r := w.upload(w.to(s))
	if why := whyOf(r.Skipped, "qcow2"); !strings.Contains(why, "garbage collection") {
		t.Errorf("qemu was not skipped for garbage collection, but: %q", why)
	}
	sound(t, s)
}

// Compressing replaces an artifact's file by another.
func TestNewerFileOfOneKindWins(t *testing.T) {
	s := &memstore.Store{}
	a, b := newWorkdir(t), newWorkdir(t)
	for _, w := range []workdir{a, b} {
		w.build("1", arch, "ostree", "qemu")
	}
	a.upload(a.to(s))
	packed := fileName("qemu", "1", arch) + ".xz"
	b.write("builds/1/x86_64/"+packed, []byte("packed"))
	b.editMeta("1", arch, func(m *index.Meta) error {
		m.SetStamp(100)
		return m.SetImage("qemu", index.Image{Path: packed, SHA256: sum("packed"), Size: 6,
			UncompressedSHA256: sum(content("qemu", "1", arch)), UncompressedSize: 5})
	})
	b.upload(b.to(s))
	sound(t, s)
	a.upload(a.to(s))
	sound(t, s)
	im, _ := metaOf(t, s, "1", arch).Image("qemu")
	if im.Path != packed || im.UncompressedSHA256 == "" {
		t.Errorf("the older upload won: %+v", im)
	}
	a.editMeta("1", arch, func(m *index.Meta) error { // decompressed again
		m.SetStamp(200)
		return nil
	})
	a.upload(a.to(s))
	sound(t, s)
	if im, _ := metaOf(t, s, "1", arch).Image("qemu"); im.Path == packed || im.UncompressedSHA256 != "" {
		t.Errorf("the entry is a mixture of two: %+v", im)
	}
}
