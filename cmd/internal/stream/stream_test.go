package stream_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"cosafs/backend"
	"cosafs/backend/backendtest"
	"cosafs/backend/memstore"
	"cosafs/cmd/internal/stream"
	"cosafs/index"
	"cosafs/vfs"
)

// walk visits everything below a directory and gives how many files it met.
func (tr *tree) walk(path string) (files int) {
	tr.t.Helper()
	for _, name := range tr.names(path) {
		below := strings.TrimPrefix(path+"/"+name, "./")
		n, err := tr.fs.Walk(tr.t.Context(), below)
		if err != nil {
			tr.t.Fatal(err)
		}
		if _, err := n.Attr(tr.t.Context()); err != nil {
			tr.t.Fatal(err)
		}
		switch n := n.(type) {
		case vfs.Dir:
			files += tr.walk(below)
		case vfs.Xattrer:
			if _, err := n.Xattrs(tr.t.Context()); err != nil {
				tr.t.Fatal(err)
			}
			files++
		}
	}
	return files
}

func TestListingIsFree(t *testing.T) {
	w := newWorld(t)
	w.build("1.0", x86, qemu(random(1, 5000)))
	w.build("2.0", x86, qemu(random(2, 6000)))
	w.build("2.0", arm, qemu(random(3, 7000)))
	store, counts := backendtest.Counting(w.Store)
	tr := open(t, store)
	if calls(counts) != 0 {
		t.Errorf("Open asked the store %d times", calls(counts))
	}
	tr.sync()
	asked := calls(counts)
	look := func(tr *tree) {
		t.Helper()
		tr.wantNames(".", ".cosafs", "1.0", "2.0", "builds.json", "latest")
		tr.wantNames(dir("2.0", arm), "commitmeta.json", "meta.json", qemuFile("2.0", arm))
		if a := tr.attr("latest/x86_64/" + qemuFile("2.0", x86)); a.Size != 6000 {
			t.Errorf("size of the image is %d; want 6000", a.Size)
		}
		if n := tr.walk("."); n < 10 {
			t.Errorf("the walk met %d files; want 10 at least", n)
		}
		tr.want("builds.json", w.list.Bytes())
		if calls(counts) != asked {
			t.Errorf("looking asked the store %d times", calls(counts)-asked)
		}
	}
	look(tr)
	cfg := tr.cfg
	tr.close()
	look(openConfig(t, cfg))
}

func TestEntriesTellWhereBytesAre(t *testing.T) {
	w := newWorld(t)
	data := random(1, 300_000)
	w.build("1.0", x86, qemu(data))
	tr := open(t, w.Store)
	tr.sync()
	path := "1.0/x86_64/" + qemuFile("1.0", x86)
	tr.wantXattr(path, "state", "remote")
	tr.wantXattr(path, "sha256", digest(data))
	tr.wantXattr(path, "source", "mem://s0")
	if a := tr.attr(path); a.ModTime.UTC().Format("2006-01-02") != "2025-01-02" {
		t.Errorf("the image is dated %v; want the build's time", a.ModTime)
	}
	tr.want(path, data)
	tr.wantCached(path)
	b, err := tr.openFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := b.LocalFile(); !ok {
		t.Error("the cached file can't be read directly")
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

func TestReadMovesNoMoreThanNeeded(t *testing.T) {
	w := newWorld(t)
	w.build("1.0", x86, qemu(random(1, 64<<20)))
	store, counts := backendtest.Counting(w.Store)
	tr := open(t, store)
	tr.sync()
	moved := counts.Bytes(backendtest.Open)
	b, err := tr.openFile("1.0/x86_64/qemu.qcow2")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.ReadAt(t.Context(), make([]byte, 100), 32<<20); err != nil {
		t.Error(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if got := counts.Bytes(backendtest.Open) - moved; got > 16<<20 {
		t.Errorf("reading 100 bytes moved %d", got)
	}
}

func TestSourcesHavePrecedence(t *testing.T) {
	own, up := newWorld(t), newWorld(t)
	up.build("1.0", x86, qemu(random(1, 1000)))
	up.build("2.0", x86, qemu(random(2, 2000)))
	up.build("2.0", arm, qemu(random(3, 3000)))
	own.build("2.0", x86, qemu(random(4, 2000)))
	own.build("3.0", x86, qemu(random(5, 1000)))
	tr := open(t, own.Store, up.Store)
	tr.sync()
	tr.wantNames(".", ".cosafs", "1.0", "2.0", "3.0", "builds.json", "latest")
	tr.want("2.0/x86_64/qemu.qcow2", random(4, 2000))
	tr.want("2.0/aarch64/qemu.qcow2", random(3, 3000))
	tr.want("1.0/x86_64/qemu.qcow2", random(1, 1000))
	tr.wantXattr("2.0/x86_64/qemu.qcow2", "source", "mem://s0")
	tr.wantXattr("2.0/aarch64/qemu.qcow2", "source", "mem://s1")
	data, err := tr.read("builds.json")
	if err != nil {
		t.Fatal(err)
	}
	list, err := index.ParseBuilds(data)
	if err != nil || list.Latest() != "3.0" || len(list.Arches("2.0")) != 2 {
		t.Errorf("builds.json = %s, %v; want all three builds, 3.0 first", data, err)
	}
}

// A store that can't be asked is told of and does not hide the others.
func TestOneStoreFails(t *testing.T) {
	w := newWorld(t)
	w.build("1.0", x86, qemu(random(1, 1000)))
	broken := backendtest.Faulty(&memstore.Store{}, backendtest.Fault{Op: backendtest.Stat, Err: fs.ErrPermission})
	tr := open(t, broken, w.Store)
	err := tr.Sync(t.Context(), nil)
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "mem://s0") {
		t.Errorf("Sync: %v; want the refusal, with the store's name", err)
	}
	tr.want("1.0/x86_64/qemu.qcow2", random(1, 1000))
	st, err := tr.Status(t.Context())
	if err != nil || len(st.Stores) != 2 || st.Stores[0].Problem == "" || st.Stores[1].Problem != "" || st.Stores[1].Builds != 1 {
		t.Errorf("Status = %+v, %v; want the first store's problem", st, err)
	}
	if text := string(tr.Library().Status()); !strings.Contains(text, "mem://s0: 0 builds, never asked: sync mem://s0: ") {
		t.Errorf("status is %q; want the first store's problem", text)
	}
}

func TestNamesThatMeanSomethingElse(t *testing.T) {
	w := newWorld(t)
	w.build("1.0", x86)
	for _, id := range []string{"latest", "next", ".hidden"} {
		w.build(id, x86)
	}
	tr := open(t, w.Store)
	tr.sync()
	tr.wantNames(".", ".cosafs", "1.0", "builds.json", "latest")
	for _, id := range []string{"latest", "next", ".hidden"} {
		if !strings.Contains(string(tr.Library().Status()), "build "+id+":") {
			t.Errorf("the status does not tell that %s is left out", id)
		}
	}
}

func TestLegacyList(t *testing.T) {
	w := newWorld(t)
	w.files("30.1", x86, qemu(random(1, 1000)))
	for _, name := range []string{"meta.json", "commitmeta.json", qemuFile("30.1", x86)} {
		body, err := w.Open(t.Context(), backend.Key("30.1/x86_64/"+name), backend.Range{Len: backend.ToEnd}, "")
		if err != nil {
			t.Fatal(err)
		}
		w.put("30.1/"+name, readAll(t, body))
		w.remove("30.1/x86_64/" + name)
	}
	list, err := json.Marshal(map[string]any{"builds": []string{"30.1"}})
	if err != nil {
		t.Fatal(err)
	}
	w.put("builds.json", list)
	tr := open(t, w.Store)
	tr.sync()
	tr.wantNames("latest/x86_64", "commitmeta.json", "meta.json", qemuFile("30.1", x86))
	tr.want("latest/x86_64/qemu.qcow2", random(1, 1000))
}

func TestFilesBesideArchitectures(t *testing.T) {
	w := newWorld(t)
	w.build("1.0", x86)
	w.put("1.0/release.json", []byte("{}"))
	w.put("1.0/.lock", []byte("x"))
	w.put("1.0/x86_64/tmpabcd1234", []byte("x"))
	tr := open(t, w.Store)
	tr.sync()
	tr.wantNames("1.0", "release.json", "x86_64")
	tr.wantNames("1.0/x86_64", "commitmeta.json", "meta.json")
	tr.want("1.0/release.json", []byte("{}"))
	tr.wantCached("1.0/release.json")
}

func TestOpenRefusesNonsense(t *testing.T) {
	twice := []stream.Source{{Name: "a", Store: &memstore.Store{}}, {Name: "a", Store: &memstore.Store{}}}
	for _, cfg := range []stream.Config{
		{Dir: t.TempDir()},
		{Sources: twice[:1]},
		{Dir: t.TempDir(), Sources: twice},
	} {
		if _, err := stream.Open(t.Context(), cfg); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("Open(%+v): %v; want ErrInvalid", cfg, err)
		}
	}
}

// A closing store counts how often it is closed.
type closing struct {
	*memstore.Store
	n *int
}

func (c closing) Close() error {
	*c.n++
	return nil
}

// The stores are closed with the stream, and where it can't be opened.
func TestStoresAreClosed(t *testing.T) {
	n := 0
	src := stream.Source{Name: "s", Store: closing{&memstore.Store{}, &n}}
	s, err := stream.Open(t.Context(), stream.Config{Dir: t.TempDir(), Sources: []stream.Source{src}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(t.Context()); err != nil || n != 1 {
		t.Errorf("Close: %v; the store was closed %d times", err, n)
	}
	if _, err := stream.Open(t.Context(), stream.Config{Sources: []stream.Source{src}}); err == nil || n != 2 {
		t.Errorf("failed Open: %v; the store was closed %d times", err, n-1)
	}
}

func TestOneProcessAtATime(t *testing.T) {
	tr := open(t, &memstore.Store{})
	if _, err := stream.Open(t.Context(), tr.cfg); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second Open: %v; want ErrExist", err)
	}
}

// offline opens the same tree again without asking stores.
func (tr *tree) offline(stores ...backend.Store) *tree {
	tr.t.Helper()
	cfg := tr.cfg
	tr.close()
	cfg.Offline = true
	for i, s := range stores {
		cfg.Sources[i].Store = s
	}
	return openConfig(tr.t, cfg)
}

func TestOffline(t *testing.T) {
	for _, c := range []struct {
		name string
		wrap func(backend.Store) backend.Store
	}{
		{"a store that lists", func(s backend.Store) backend.Store { return s }},
		{"a store that can't list", func(s backend.Store) backend.Store { return noList{s} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.build("1.0", x86, qemu(random(1, 300_000)), image{kind: "metal", data: random(2, 1000)})
			store, counts := backendtest.Counting(c.wrap(w.Store))
			tr := open(t, store)
			tr.sync()
			tr.want("1.0/x86_64/qemu.qcow2", random(1, 300_000))
			tr.wantCached("1.0/x86_64/qemu.qcow2")
			asked := calls(counts)
			tr = tr.offline(store)
			tr.want("1.0/x86_64/qemu.qcow2", random(1, 300_000))
			metal := "1.0/x86_64/metal.raw"
			tr.wantXattr(metal, "state", "unknown")
			if why := tr.xattr(metal, "reason"); !strings.Contains(why, "offline") {
				t.Errorf("reason is %q; want that it is offline", why)
			}
			if _, err := tr.read(metal); err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "offline") {
				t.Errorf("reading what is not cached: %v; want why, and no absence", err)
			}
			if err := tr.Sync(t.Context(), nil); err == nil {
				t.Error("Sync succeeded")
			}
			tr.Watch(t.Context()) // returns at once
			if calls(counts) != asked {
				t.Errorf("the store was asked %d times", calls(counts)-asked)
			}
		})
	}
}

// What a person asked for ends with the person.
func TestCancelledSync(t *testing.T) {
	tr := open(t, backendtest.Faulty(&memstore.Store{}, backendtest.Fault{Op: backendtest.Stat, Wait: make(chan struct{})}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tr.Sync(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Sync: %v; want Canceled", err)
	}
	if st, err := tr.Status(t.Context()); err != nil || st.Stores[0].Problem != "" {
		t.Errorf("Status = %+v, %v; a cancelled call says nothing about the store", st, err)
	}
}
