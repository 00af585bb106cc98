package stream_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"testing"
	"time"

	"cosafs/backend/backendtest"
	"cosafs/index"
	"cosafs/materialize"
	"cosafs/vfs"
)

// next waits for what a watcher tells.
func next(t *testing.T, w *vfs.Watcher) []vfs.Change {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	changes, err := w.Next(ctx)
	if err != nil {
		t.Fatalf("nothing was told: %v", err)
	}
	return changes
}

func TestSyncWithoutChangesIsOneRequest(t *testing.T) {
	w := newWorld(t)
	w.build("1.0", x86, qemu(random(1, 1000)))
	store, counts := backendtest.Counting(w.Store)
	tr := open(t, store)
	tr.sync()
	opens := counts.Calls(backendtest.Open)
	changed := tr.Library().Changed()
	tr.sync()
	if n := counts.Calls(backendtest.Open) - opens; n != 0 {
		t.Errorf("a sync without changes read %d objects", n)
	}
	select {
	case <-changed:
		t.Error("a sync without changes changed the tree")
	default:
	}
}

func TestNewBuildsAppear(t *testing.T) {
	w := newWorld(t)
	w.build("1.0", x86, qemu(random(1, 1000)))
	tr := open(t, w.Store)
	tr.sync()
	watcher := tr.fs.Watch()
	w.build("2.0", x86, qemu(random(2, 1000)))
	tr.sync()
	told := next(t, watcher)
	for _, name := range []string{"2.0", "latest", "builds.json"} {
		if !slices.Contains(told, vfs.Change{Name: name}) {
			t.Errorf("the watcher told %+v; want %s among it", told, name)
		}
	}
	tr.want("latest/x86_64/qemu.qcow2", random(2, 1000))
	tr.want("builds.json", w.list.Bytes())
}

func TestRemovedBuildsGo(t *testing.T) {
	w := newWorld(t)
	w.build("1.0", x86, qemu(random(1, 1000)))
	w.build("2.0", x86, qemu(random(2, 1000)))
	tr := open(t, w.Store)
	tr.sync()
	watcher := tr.fs.Watch()
	w.list.Remove("1.0")
	w.put("builds.json", w.list.Bytes())
	tr.sync()
	if told := next(t, watcher); !slices.Contains(told, vfs.Change{Name: "1.0", Gone: true}) {
		t.Errorf("the watcher told %+v; want that 1.0 is gone", told)
	}
	tr.wantNames(".", ".cosafs", "2.0", "builds.json", "latest")
	tr.wantErr("1.0/x86_64/meta.json", fs.ErrNotExist)
}

// What a watcher saw before stays what it was while it compares.
func TestWatcherTellsChangedFiles(t *testing.T) {
	w := newWorld(t)
	w.build("1.0", x86, qemu(random(1, 1000)), image{kind: "metal", data: random(2, 1000)})
	tr := open(t, w.Store)
	tr.sync()
	watcher := tr.fs.Watch()
	before := tr.Library().Snapshot()
	metal := image{kind: "metal"}.name("1.0", x86)
	w.remove("1.0/x86_64/" + metal)
	w.files("1.0", x86, qemu(random(1, 1000)), image{kind: "openstack", data: random(3, 1000)})
	tr.sync()
	told := next(t, watcher)
	for _, want := range []vfs.Change{
		{Dir: "1.0/x86_64", Name: metal, Gone: true},
		{Dir: "1.0/x86_64", Name: image{kind: "openstack"}.name("1.0", x86)},
		{Dir: "1.0/x86_64", Name: "meta.json"},
	} {
		if !slices.Contains(told, want) {
			t.Errorf("the watcher told %+v; want %+v among it", told, want)
		}
	}
	if slices.ContainsFunc(told, func(c vfs.Change) bool { return c.Name == qemuFile("1.0", x86) && c.Gone }) {
		t.Errorf("the watcher told %+v; the qemu image did not go", told)
	}
	files, err := before.Builds[0].Arches[0].Files()
	if err != nil || !slices.ContainsFunc(files, func(e vfs.Entry) bool { return e.Name == metal }) {
		t.Errorf("the old snapshot has %+v, %v by now; want what it had", files, err)
	}
}

// A store that fails half way leaves the tree as it was.
func TestFailedSyncKeepsTheTree(t *testing.T) {
	w := newWorld(t)
	w.build("1.0", x86, qemu(random(1, 1000)))
	tr := open(t, w.Store)
	tr.sync()
	cfg := tr.cfg
	tr.close()
	cfg.Sources[0].Store = backendtest.Faulty(w.Store, backendtest.Fault{Op: backendtest.Stat, Key: "builds.json", Err: errors.New("no route")})
	tr = openConfig(t, cfg)
	if err := tr.Sync(t.Context(), nil); err == nil {
		t.Error("Sync succeeded")
	} else if class, hint := materialize.ClassOf(err); class != materialize.ClassNetwork || hint == "" {
		t.Errorf("Sync: %v of class %s, hint %q", err, class, hint)
	}
	tr.wantNames("1.0/x86_64", "commitmeta.json", "meta.json", qemuFile("1.0", x86))
}

func TestSyncTellsProgress(t *testing.T) {
	w := newWorld(t)
	w.build("1.0", x86)
	tr := open(t, w.Store)
	var mu sync.Mutex
	var told []materialize.Event
	if err := tr.Sync(t.Context(), func(e materialize.Event) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, e)
	}); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(told, func(e materialize.Event) bool { return e.Phase == "ask mem://s0" && e.Fraction == 1 }) {
		t.Errorf("told %+v; want the store, and its end", told)
	}
}

// Watch asks at once, then again and again, until its ctx ends.
func TestWatch(t *testing.T) {
	w := newWorld(t)
	w.build("1.0", x86)
	tr := openConfig(t, stream1(t, w, time.Millisecond))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	watcher := tr.fs.Watch()
	go func() {
		defer close(done)
		tr.Watch(ctx)
	}()
	next(t, watcher)
	w.build("2.0", x86)
	for !slices.Contains(tr.names("."), "2.0") {
		next(t, watcher)
	}
	cancel()
	<-done
}

// A read that meets a replaced object has the store asked again at once.
func TestStaleReadSyncs(t *testing.T) {
	w := newWorld(t)
	w.build("1.0", x86, qemu(random(1, 1000)))
	tr := openConfig(t, stream1(t, w, time.Hour))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	watcher := tr.fs.Watch()
	go func() {
		defer close(done)
		tr.Watch(ctx)
	}()
	next(t, watcher)
	w.files("1.0", x86, qemu(random(2, 2000)))
	tr.wantErr("1.0/x86_64/meta.json", vfs.ErrStale)
	next(t, watcher)
	tr.want("1.0/x86_64/qemu.qcow2", random(2, 2000))
	cancel()
	<-done
}

func TestCleanupChangesListing(t *testing.T) {
	w := newWorld(t)
	w.files("1.0", x86, qemu(random(1, 1000)), image{kind: "metal", data: random(2, 1000), absent: true})
	if err := w.list.Insert("1.0", index.Arch(x86)); err != nil {
		t.Fatal(err)
	}
	w.put("builds.json", w.list.Bytes())
	tr := open(t, noList{w.Store})
	tr.sync()
	metal := image{kind: "metal"}.name("1.0", x86)
	if !slices.Contains(tr.names("1.0/x86_64"), metal) {
		t.Fatalf("%s is not listed", metal)
	}
	watcher := tr.fs.Watch()
	w.put("builds.json", []byte(cleaned))
	tr.sync()
	if told := next(t, watcher); !slices.Contains(told, vfs.Change{Dir: "1.0/x86_64", Name: metal, Gone: true}) {
		t.Errorf("the watcher told %+v; want that the image is gone", told)
	}
}

// Old builds are not looked at again with every sync, but they are where a read
// showed that one changed.
func TestStaleReadOfAnOldBuild(t *testing.T) {
	w := newWorld(t)
	for i := range 30 {
		w.build(fmt.Sprintf("%d.0", i+1), x86, qemu(random(byte(i), 1000)))
	}
	tr := open(t, w.Store)
	tr.sync()
	w.files("1.0", x86, qemu(random(99, 2000)))
	tr.sync()
	tr.wantErr("1.0/x86_64/qemu.qcow2", vfs.ErrStale)
	tr.sync()
	tr.want("1.0/x86_64/qemu.qcow2", random(99, 2000))
}
