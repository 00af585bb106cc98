package catalog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cosafs/index"
	"cosafs/index/catalog"
)

// testLog gives a logger that writes to the test's log.
func testLog(tb testing.TB) *slog.Logger {
	tb.Helper()
	return slog.New(slog.NewTextHandler(tb.Output(), nil))
}

func TestSync(t *testing.T) {
	s, c := newStore(), fresh(t)
	if _, err := c.Top(storeName); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Top before the first sync: %v", err)
	}
	s.build(t, "1", epoch, "x86_64")
	s.build(t, "2", epoch.Add(time.Hour), "x86_64", "aarch64")
	s.put("2/release.json", []byte("{}"))
	s.edit(func(b *index.Builds) {
		if err := b.SetCleanup("1", index.Cleanup{Images: true, ImagesKept: []index.Kind{"qemu"}}); err != nil {
			t.Fatal(err)
		}
	})
	var steps []string
	r := sync1(t, c, s, catalog.Options{Progress: func(done, total int) { steps = append(steps, fmt.Sprint(done, "/", total)) }})
	if r.Builds != 2 || r.Added != 2 || r.Unchanged || len(r.Problems) != 0 || !slices.Equal(steps, []string{"1/2", "2/2"}) {
		t.Errorf("report %+v, progress %q", r, steps)
	}
	if lists, dirs, reads := s.asked(); lists != 1 || dirs != 2 || reads != 3 {
		t.Errorf("asked for %d lists, %d directories, %d files", lists, dirs, reads)
	}
	if got := listed(t, c); !slices.Equal(got, []string{"2 x86_64 aarch64", "1 x86_64"}) {
		t.Errorf("listed %q", got)
	}
	for b, err := range c.Builds(t.Context(), storeName) {
		if err != nil {
			t.Fatal(err)
		}
		if b.ID == "2" && (!b.Time.Equal(epoch.Add(time.Hour)) || len(b.Files) != 1 || b.Files[0].Name != "release.json") {
			t.Errorf("build 2: %+v", b)
		}
		if b.ID == "1" && (b.Cleanup.Keeps("metal") || !b.Cleanup.Keeps("qemu")) {
			t.Errorf("build 1: %+v", b.Cleanup)
		}
	}
	a := archOf(t, c, "2", "aarch64")
	if a.Dir != "2/aarch64" || a.OS != "os" || a.Version != "2" || a.Commit != digestOf("2", "aarch64", "commit") || !a.Listed ||
		len(a.Files) != 2 || a.Files[0].Name != "meta.json" || len(a.Images) != 2 || a.Problem != "" {
		t.Errorf("%+v", a)
	}
	top, err := c.Top(storeName)
	if err != nil || !bytes.Equal(top.Data, s.list.Bytes()) || top.List.Latest() != "2" || top.Synced.IsZero() || top.File.Version != "list-3" {
		t.Errorf("Top = %+v, %v", top, err)
	}
	if lists, dirs, reads := s.asked(); lists+dirs+reads != 0 {
		t.Error("looking asked the store")
	}
}

// What did not change costs one request, and one for each build that is looked at
// again.
func TestSyncUnchanged(t *testing.T) {
	s, c := newStore(), fresh(t)
	for i := range 30 {
		s.build(t, fmt.Sprint("b", i), epoch, "x86_64")
	}
	sync1(t, c, s, catalog.Options{})
	s.asked()
	for _, tc := range []struct{ recheck, dirs int }{{0, 20}, {5, 5}, {-1, 30}} {
		r := sync1(t, c, s, catalog.Options{Recheck: tc.recheck})
		if lists, dirs, reads := s.asked(); lists != 1 || dirs != tc.dirs || reads != 0 || !r.Unchanged || r.Builds != 30 {
			t.Errorf("recheck %d: %d lists, %d directories, %d files; %+v", tc.recheck, lists, dirs, reads, r)
		}
	}
	empty := newStore()
	other := fresh(t)
	sync1(t, other, empty, catalog.Options{})
	empty.asked()
	sync1(t, other, empty, catalog.Options{})
	if lists, dirs, reads := empty.asked(); lists != 1 || dirs+reads != 0 {
		t.Error("a list without builds costs more than one request")
	}
}

// A change is found, told before, and brings nothing else along.
func TestSyncChanges(t *testing.T) {
	s, c := newStore(), fresh(t)
	for i := range 10 {
		s.build(t, fmt.Sprint("b", i), epoch, "x86_64", "aarch64")
	}
	sync1(t, c, s, catalog.Options{})
	s.asked()
	before := archOf(t, c, "b9", "x86_64")
	other := archOf(t, c, "b9", "aarch64")
	var told []string
	o := catalog.Options{Recheck: 2, Before: func(id, arch string) {
		a := archOf(t, c, id, arch)
		told = append(told, fmt.Sprint(id, "/", arch, " ", len(a.Images)))
	}}
	s.put("b9/x86_64/meta.json", metaOf("b9", "x86_64", epoch, "qemu", "metal", "aws"))
	r := sync1(t, c, s, o)
	if lists, dirs, reads := s.asked(); lists != 1 || dirs != 2 || reads != 1 || r.Changed != 1 || r.Unchanged {
		t.Errorf("%d lists, %d directories, %d files; %+v", lists, dirs, reads, r)
	}
	if after := archOf(t, c, "b9", "x86_64"); len(after.Images) != 3 || after.Stamp == before.Stamp {
		t.Errorf("after: %+v", after)
	}
	if archOf(t, c, "b9", "aarch64").Stamp != other.Stamp {
		t.Error("the other architecture changed")
	}
	if !slices.Equal(told, []string{"b9/x86_64 2"}) {
		t.Errorf("told %q", told)
	}
	// Beyond the newest it isn't looked for, until somebody asks for all.
	s.put("b0/x86_64/meta.json", metaOf("b0", "x86_64", epoch, "aws"))
	if r := sync1(t, c, s, o); !r.Unchanged {
		t.Errorf("%+v", r)
	}
	o.Recheck = -1
	if r := sync1(t, c, s, o); r.Changed != 1 || len(archOf(t, c, "b0", "x86_64").Images) != 1 {
		t.Errorf("%+v", r)
	}
}

func TestSyncRemoves(t *testing.T) {
	s, c := newStore(), fresh(t)
	for _, id := range []string{"1", "2", "3"} {
		s.build(t, id, epoch, "x86_64", "aarch64")
	}
	sync1(t, c, s, catalog.Options{})
	var told []string
	s.edit(func(b *index.Builds) {
		b.Remove("2")
		b.RemoveArch("3", "x86_64")
	})
	r := sync1(t, c, s, catalog.Options{Before: func(id, arch string) { told = append(told, id+"/"+arch) }})
	if r.Removed != 1 || r.Changed != 1 || !slices.Equal(listed(t, c), []string{"3 aarch64", "1 x86_64 aarch64"}) {
		t.Errorf("%+v: %q", r, listed(t, c))
	}
	slices.Sort(told)
	if !slices.Equal(told, []string{"2/aarch64", "2/x86_64", "3/x86_64"}) {
		t.Errorf("told %q", told)
	}
	for _, gone := range [][2]string{{"2", "x86_64"}, {"3", "x86_64"}} {
		if _, err := c.Arch(storeName, gone[0], gone[1]); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v: %v", gone, err)
		}
	}
	for _, q := range []catalog.Query{{Commit: digestOf("2", "x86_64", "commit")}, {SHA256: digestOf("3", "x86_64", "qemu")}} {
		if got := found(t, c, q); len(got) != 0 {
			t.Errorf("%+v finds %q", q, got)
		}
	}
}

// What the store doesn't have, or has damaged, is a problem of one architecture.
func TestSyncProblems(t *testing.T) {
	for _, unlisting := range []bool{false, true} {
		s, c := newStore(), fresh(t)
		s.unlisting = unlisting
		for _, id := range []string{"cut", "gone", "ok"} {
			s.build(t, id, epoch, "x86_64", "aarch64")
		}
		s.put("cut/x86_64/meta.json", []byte(`{"buildid": `))
		s.remove("gone/x86_64/meta.json")
		s.edit(func(b *index.Builds) {})
		r := sync1(t, c, s, catalog.Options{})
		if len(r.Problems) != 2 || r.Added != 3 {
			t.Errorf("%+v", r)
		}
		for id, want := range map[string]string{"cut": "malformed JSON", "gone": "meta.json is not in the store", "ok": ""} {
			if a := archOf(t, c, id, "x86_64"); !strings.Contains(a.Problem, want) || (want == "") != (a.Problem == "") {
				t.Errorf("unlisting %t: %s: problem %q", unlisting, id, a.Problem)
			}
			if a := archOf(t, c, id, "aarch64"); a.Problem != "" || a.Listed == unlisting || unlisting && len(a.Files) != 1 {
				t.Errorf("unlisting %t: %s: %+v", unlisting, id, a)
			}
		}
		if r := sync1(t, c, s, catalog.Options{}); len(r.Problems) != 2 || !r.Unchanged {
			t.Errorf("unlisting %t: again: %+v", unlisting, r)
		}
		s.put("cut/x86_64/meta.json", metaOf("cut", "x86_64", epoch))
		s.put("gone/x86_64/meta.json", metaOf("gone", "x86_64", epoch))
		if r := sync1(t, c, s, catalog.Options{}); len(r.Problems) != 0 || r.Changed != 2 {
			t.Errorf("unlisting %t: mended: %+v", unlisting, r)
		}
	}
}

// What could not be read stays as it is known, and is asked for again although
// nothing else changed.
func TestSyncUnreadable(t *testing.T) {
	s, c := newStore(), fresh(t)
	for _, id := range []string{"1", "2", "3"} {
		s.build(t, id, epoch, "x86_64")
	}
	refused := fmt.Errorf("403: %w", fs.ErrPermission)
	s.fail["1/x86_64/meta.json"] = refused
	r := sync1(t, c, s, catalog.Options{Recheck: 1})
	if a := archOf(t, c, "1", "x86_64"); len(r.Problems) != 1 || !strings.Contains(a.Problem, "403") {
		t.Errorf("%+v; %+v", r, a)
	}
	delete(s.fail, "1/x86_64/meta.json")
	if r := sync1(t, c, s, catalog.Options{Recheck: 1}); r.Changed != 1 || len(r.Problems) != 0 || archOf(t, c, "1", "x86_64").Problem != "" {
		t.Errorf("%+v; %+v", r, archOf(t, c, "1", "x86_64"))
	}
	good := archOf(t, c, "3", "x86_64")
	s.put("3/x86_64/meta.json", metaOf("3", "x86_64", epoch))
	s.fail["3"] = refused
	if r := sync1(t, c, s, catalog.Options{Recheck: 1}); len(r.Problems) != 1 || archOf(t, c, "3", "x86_64").Stamp != good.Stamp {
		t.Errorf("%+v; what was known is lost", r)
	}
	if _, err := c.Sync(t.Context(), storeName, s, catalog.Options{}); err != nil {
		t.Errorf("a build that can't be read fails the sync: %v", err)
	}
}

// A store that can't be asked leaves everything as it was.
func TestSyncFails(t *testing.T) {
	s, c := newStore(), fresh(t)
	for i := range 40 {
		s.build(t, fmt.Sprint("b", i), epoch, "x86_64")
	}
	sync1(t, c, s, catalog.Options{})
	want := listed(t, c)
	down := errors.New("no route to host")
	s.build(t, "new", epoch, "x86_64")
	s.fail["builds.json"] = down
	if _, err := c.Sync(t.Context(), storeName, s, catalog.Options{}); !errors.Is(err, down) {
		t.Errorf("Sync = %v", err)
	}
	delete(s.fail, "builds.json")
	for i := range 40 {
		s.fail[fmt.Sprint("b", i)] = down
	}
	if _, err := c.Sync(t.Context(), storeName, s, catalog.Options{Recheck: -1}); !errors.Is(err, down) {
		t.Errorf("a store that fails half way: %v", err)
	}
	s.listData = []byte("<html>")
	if _, err := c.Sync(t.Context(), storeName, s, catalog.Options{}); !errors.Is(err, index.ErrSyntax) {
		t.Errorf("a list that is none: %v", err)
	}
	if diff := cmp.Diff(want, listed(t, c)); diff != "" {
		t.Error(diff)
	}
}

// What was done before the end counts, and the next sync goes on.
func TestSyncGoesOn(t *testing.T) {
	s, c := newStore(), fresh(t)
	const builds = 50
	for i := range builds {
		s.build(t, fmt.Sprint("b", i), epoch, "x86_64")
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := c.Sync(ctx, storeName, s, catalog.Options{Parallel: 2, Progress: func(done, _ int) {
		if done == 10 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("Sync = %v", err)
	}
	if _, err := c.Top(storeName); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half a list is shown: %v", err)
	}
	s.asked()
	r := sync1(t, c, s, catalog.Options{Recheck: 1})
	if _, _, reads := s.asked(); reads > builds-10 || r.Added > builds-10 || r.Builds != builds {
		t.Errorf("read %d files again; %+v", reads, r)
	}
	if got := listed(t, c); len(got) != builds || got[0] != "b49 x86_64" {
		t.Errorf("listed %q", got)
	}
}

// The end of ctx is not waited for, wherever the store hangs.
func TestSyncEndsAtOnce(t *testing.T) {
	s, c := newStore(), fresh(t)
	s.entered, s.release = make(chan string), make(chan struct{})
	s.build(t, "1", epoch, "x86_64")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := c.Sync(ctx, storeName, s, catalog.Options{})
		ended <- err
	}()
	<-s.entered
	second := make(chan error)
	go func() { // waits its turn
		_, err := c.Sync(ctx, storeName, s, catalog.Options{})
		second <- err
	}()
	cancel()
	for _, ch := range []chan error{ended, second} {
		if err := <-ch; !errors.Is(err, context.Canceled) {
			t.Errorf("Sync = %v", err)
		}
	}
}

func TestLegacyList(t *testing.T) {
	s, c := newStore(), fresh(t)
	s.listData = []byte(`{"builds": ["30.2", "30.1"], "timestamp": "2019-01-01T00:00:00Z"}`)
	s.put("30.2/meta.json", metaOf("30.2", "", epoch, "qemu"))
	s.put("30.2/os-qemu.qcow2", nil)
	sync1(t, c, s, catalog.Options{})
	if got := listed(t, c); !slices.Equal(got, []string{"30.2 ", "30.1 "}) {
		t.Errorf("listed %q", got)
	}
	if a := archOf(t, c, "30.2", ""); a.Dir != "30.2" || len(a.Files) != 2 || len(a.Images) != 1 {
		t.Errorf("%+v", a)
	}
	if a := archOf(t, c, "30.1", ""); a.Problem == "" {
		t.Errorf("%+v", a)
	}
}

func TestSeveralStores(t *testing.T) {
	c := fresh(t)
	var wg sync.WaitGroup
	names := []string{"s3://a", "s3://b", "https://c"}
	for i, name := range names {
		s := newStore()
		for j := range 20 {
			s.build(t, fmt.Sprint(j), epoch, fmt.Sprint("arch", i))
		}
		wg.Go(func() {
			if _, err := c.Sync(t.Context(), name, s, catalog.Options{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := c.Forget("s3://b"); err != nil {
		t.Fatal(err)
	}
	if err := c.Forget("never://heard"); err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		_, err := c.Arch(name, "7", fmt.Sprint("arch", i))
		if (i == 1) != errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, err := range c.Builds(t.Context(), "s3://b") {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a store that was forgotten: %v", err)
		}
	}
}

// A record that would not fit is a problem, too, and nothing else suffers.
func TestSyncHugeRecords(t *testing.T) {
	s, c := newStore(), fresh(t)
	s.build(t, "huge", epoch, "x86_64")
	s.build(t, "wide", epoch, "x86_64")
	s.build(t, "ok", epoch, "x86_64")
	var kinds []string
	for i := range 3000 {
		kinds = append(kinds, fmt.Sprint("kind", i))
		s.put(fmt.Sprintf("wide/%s-%d", digestOf(i), i), nil)
	}
	s.put("huge/x86_64/meta.json", metaOf("huge", "x86_64", epoch, kinds...))
	sync1(t, c, s, catalog.Options{})
	if a := archOf(t, c, "huge", "x86_64"); !strings.Contains(a.Problem, "3000 images") {
		t.Errorf("problem %q, %d images", a.Problem, len(a.Images))
	}
	for _, id := range []string{"wide", "ok"} {
		if a := archOf(t, c, id, "x86_64"); a.Problem != "" || len(a.Images) != 2 {
			t.Errorf("%s: %+v", id, a)
		}
	}
	if r := sync1(t, c, s, catalog.Options{}); !r.Unchanged {
		t.Errorf("again: %+v", r)
	}
}
