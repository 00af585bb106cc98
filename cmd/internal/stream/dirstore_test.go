package stream_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"cosafs/backend"
	"cosafs/backend/dirstore"
)

// writeDir writes what the store holds into a build directory, with the things
// that lie about in one.
func (w *world) writeDir(root string) {
	w.t.Helper()
	write := func(key string, data []byte) {
		path := filepath.Join(root, filepath.FromSlash(key))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			w.t.Fatal(err)
		}
	}
	for info, err := range backend.Walk(w.t.Context(), w.Store, "") {
		if err != nil {
			w.t.Fatal(err)
		}
		write(string(info.Key), w.object(string(info.Key)))
	}
	write("1.0/x86_64/.meta.json.lock", []byte("x"))
	write("1.0/x86_64/.qemu.building", nil)
	if err := os.Symlink("1.0", filepath.Join(root, "latest")); err != nil {
		w.t.Fatal(err)
	}
}

func TestDirectoryAsStore(t *testing.T) {
	w := newWorld(t)
	raw := bytes.Repeat(random(1, 1000), 300)
	w.build("1.0", x86, packed(t, "zst", raw), image{kind: "metal", data: random(2, 1000)})
	root := t.TempDir()
	w.writeDir(root)
	store, err := dirstore.Open(dirstore.Config{Dir: root})
	if err != nil {
		t.Fatal(err)
	}
	tr := open(t, store)
	tr.sync()
	tr.wantNames("latest/x86_64", "commitmeta.json", "meta.json", image{kind: "metal"}.name("1.0", x86), qemuFile("1.0", x86)+".zst")
	tr.want("latest/x86_64/qemu.qcow2", raw)
	tr.want("latest/x86_64/metal.raw", random(2, 1000))
	tr.want("builds.json", w.list.Bytes())
}
