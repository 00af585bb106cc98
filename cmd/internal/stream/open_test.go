package stream_test

import (
	"errors"
	"io/fs"
	"testing"
	"time"

	"cosafs/backend/backendtest"
	"cosafs/cmd/internal/stream"
	"cosafs/materialize"
	"cosafs/materialize/blobcache"
	"cosafs/vfs"
)

// stream1 configures a stream over one store.
func stream1(t *testing.T, w *world, refresh time.Duration) stream.Config {
	t.Helper()
	return stream.Config{
		Dir: t.TempDir(), Arch: x86, Refresh: refresh, Sources: []stream.Source{{Name: "mem://s0", Store: w.Store}},
	}
}

// An object that is replaced while somebody reads it gives bytes of one version,
// then ErrStale.
func TestReplacedWhileOpen(t *testing.T) {
	const size = 64 << 20
	before, after := make([]byte, size), make([]byte, size)
	for i := range before {
		before[i], after[i] = 'a', 'b'
	}
	w := newWorld(t)
	w.build("1.0", x86, qemu(before))
	tr := open(t, w.Store)
	tr.sync()
	b, err := tr.openFile("1.0/x86_64/qemu.qcow2")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}()
	part := make([]byte, 100)
	if _, err := b.ReadAt(t.Context(), part, 0); err != nil || part[0] != 'a' {
		t.Fatalf("first read: %q, %v", part[0], err)
	}
	w.put("1.0/x86_64/"+qemuFile("1.0", x86), after)
	n, err := b.ReadAt(t.Context(), part, size-100)
	if !errors.Is(err, vfs.ErrStale) || n > 0 && part[0] != 'a' {
		t.Errorf("read after the change: %d bytes of %q, %v; want ErrStale", n, part[0], err)
	}
}

// Bytes that are not the recorded ones are never called cached; where asked to
// verify first, not one of them is given.
func TestWrongDigest(t *testing.T) {
	w := newWorld(t)
	w.build("1.0", x86, qemu(random(1, 1000)))
	w.put("1.0/x86_64/"+qemuFile("1.0", x86), random(2, 1000))
	tr := open(t, w.Store)
	tr.sync()
	if _, err := tr.Materialise(t.Context(), "1.0/x86_64/qemu.qcow2", nil); !errors.Is(err, materialize.ErrCorrupt) {
		t.Errorf("Materialise: %v; want ErrCorrupt", err)
	}
	tr.wantXattr("1.0/x86_64/qemu.qcow2", "state", "remote")

	cfg := stream1(t, w, 0)
	cfg.Verify = blobcache.VerifyOpen
	tr = openConfig(t, cfg)
	tr.sync()
	tr.wantErr("1.0/x86_64/qemu.qcow2", materialize.ErrCorrupt)
}

func TestWrongSize(t *testing.T) {
	for _, lists := range []bool{true, false} {
		w := newWorld(t)
		w.build("1.0", x86, qemu(random(1, 1000)))
		w.put("1.0/x86_64/"+qemuFile("1.0", x86), random(1, 900))
		tr := open(t, w.Store)
		if !lists {
			tr = open(t, noList{w.Store})
		}
		tr.sync()
		if lists {
			tr.wantXattr("1.0/x86_64/qemu.qcow2", "state", "failed")
		}
		tr.wantErr("1.0/x86_64/qemu.qcow2", materialize.ErrCorrupt)
	}
}

func TestStoreThatCantList(t *testing.T) {
	w := newWorld(t)
	w.build("1.0", x86, qemu(random(1, 1000)), image{kind: "live-iso", data: random(2, 2000), noSize: true})
	store, counts := backendtest.Counting(noList{w.Store})
	tr := open(t, store)
	tr.sync()
	asked := calls(counts)
	tr.wantNames("1.0/x86_64", "meta.json", qemuFile("1.0", x86))
	for _, path := range []string{"1.0/x86_64/live.iso", "1.0/x86_64/commitmeta.json", "1.0/x86_64/ostree-commit-object"} {
		if a := tr.attr(path); a.Size != -1 {
			t.Errorf("size of %s is %d; nobody knows it", path, a.Size)
		}
	}
	if calls(counts) != asked {
		t.Errorf("looking asked the store %d times", calls(counts)-asked)
	}
	tr.want("1.0/x86_64/commitmeta.json", commitMeta(t, "1.0"))
	tr.want("1.0/x86_64/live.iso", random(2, 2000))
	tr.want("1.0/x86_64/qemu.qcow2", random(1, 1000))
	if a := tr.attr("1.0/x86_64/live.iso"); a.Size != 2000 {
		t.Errorf("size after the read is %d; want 2000", a.Size)
	}
	tr.wantErr("1.0/x86_64/ostree-commit-object", fs.ErrNotExist)
	tr.wantErr("1.0/x86_64/nonsense", fs.ErrNotExist)

	asked = calls(counts)
	cfg := tr.cfg
	tr.close()
	tr = openConfig(t, cfg) // what was learnt is known after a restart
	if a := tr.attr("1.0/x86_64/live.iso"); a.Size != 2000 {
		t.Errorf("size after a restart is %d; want 2000", a.Size)
	}
	tr.want("1.0/x86_64/live.iso", random(2, 2000))
	if calls(counts) != asked {
		t.Errorf("reading what is cached asked the store %d times", calls(counts)-asked)
	}
}

// The version of an object of a store that can't list is pinned when it is first
// opened; another one is noticed, and then read.
func TestReplacedInStoreThatCantList(t *testing.T) {
	w := newWorld(t)
	w.build("1.0", x86)
	w.put("1.0/x86_64/commitmeta.json", []byte("old"))
	tr := open(t, noList{w.Store})
	tr.sync()
	path := "1.0/x86_64/commitmeta.json"
	b, err := tr.openFile(path) // asks for the version, reads nothing
	if err != nil {
		t.Fatal(err)
	}
	w.put(path, []byte("new"))
	if _, err := b.ReadAt(t.Context(), make([]byte, 3), 0); !errors.Is(err, vfs.ErrStale) {
		t.Errorf("read: %v; want ErrStale", err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	tr.want(path, []byte("new"))
}

func TestShortNames(t *testing.T) {
	w := newWorld(t)
	w.build("1.0", x86,
		qemu(random(1, 1000)),
		image{kind: "ostree", file: name + "-1.0-ostree.x86_64.ociarchive", data: random(2, 1000)},
		image{kind: "live-kernel", data: random(3, 1000)},
		image{kind: "live-iso", file: name + "-1.0-live-iso.x86_64.iso", data: random(4, 1000)},
	)
	tr := open(t, w.Store)
	tr.sync()
	for short, want := range map[string][]byte{
		"qemu.qcow2": random(1, 1000), "ostree.ociarchive": random(2, 1000), "ostree.tar": random(2, 1000),
		"live-kernel": random(3, 1000), "live.iso": random(4, 1000), "live-iso.iso": random(4, 1000),
	} {
		n, err := tr.fs.Walk(t.Context(), "1.0/x86_64/"+short)
		if err != nil {
			t.Errorf("%s: %v", short, err)
			continue
		}
		if _, ok := n.(vfs.Symlink); !ok {
			t.Errorf("%s is a %T; want a link", short, n)
		}
		tr.want("1.0/x86_64/"+short, want)
	}
	e, err := tr.Lookup(t.Context(), "1.0", x86, "ostree")
	if err != nil || e.Name != name+"-1.0-ostree.x86_64.ociarchive" || e.SHA256 != digest(random(2, 1000)) {
		t.Errorf("Lookup = %+v, %v", e, err)
	}
	if _, err := tr.Lookup(t.Context(), "1.0", x86, "aws"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Lookup of what is not recorded: %v", err)
	}
}

// A damaged meta.json leaves the files, and tells.
func TestDamagedMeta(t *testing.T) {
	w := newWorld(t)
	w.build("1.0", x86, qemu(random(1, 1000)))
	w.put("1.0/x86_64/meta.json", []byte("{"))
	tr := open(t, w.Store)
	if err := tr.Sync(t.Context(), nil); err != nil {
		t.Logf("Sync: %v", err)
	}
	tr.wantNames("1.0/x86_64", "commitmeta.json", "meta.json", qemuFile("1.0", x86))
	b, err := tr.Show(t.Context(), "1.0", "")
	if err != nil || b.Problem == "" {
		t.Errorf("Show = %+v, %v; want the problem", b, err)
	}
}
