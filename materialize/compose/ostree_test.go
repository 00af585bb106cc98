package compose

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/materialize"
	"cosafs/test/logbuf"
	"cosafs/test/need"
)

// newTask gives a task that logs into a buffer.
func newTask(t *testing.T) (*materialize.Task, *logbuf.Buffer) {
	t.Helper()
	log := &logbuf.Buffer{}
	return &materialize.Task{Scratch: t.TempDir(), Log: log}, log
}

// newStore gives a store in an empty working directory, and one commit in it.
func newStore(t *testing.T) (*OSTree, string) {
	t.Helper()
	need.Tool(t, "ostree")
	o := NewOSTree(Config{Workdir: t.TempDir(), Arch: "x86_64"})
	if err := o.ensure(t.Context(), o.cfg.BareRepo, "bare-user"); err != nil {
		t.Fatal(err)
	}
	tree := t.TempDir()
	if err := os.WriteFile(filepath.Join(tree, "hello"), []byte("hello\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := o.run(t.Context(), "commit", "--repo="+o.cfg.BareRepo, "--orphan", "--parent=none", "--tree=dir="+tree,
		"--owner-uid=0", "--owner-gid=0", "--no-xattrs", "--timestamp=@1735689600", "--add-metadata-string=version=1.2",
		"--add-metadata=rpmostree.rpmdb.pkglist=[('bash', '0', '5.2', '1', 'x86_64')]",
		"--add-metadata=numbers=<(byte 1, int16 -2, uint32 3, uint64 4, true, 0.5, @ay [7, 8])>")
	if err != nil {
		t.Fatal(err)
	}
	return o, strings.TrimSpace(out)
}

func TestReadCommit(t *testing.T) {
	o, id := newStore(t)
	c, err := ReadCommit(o.Repo(), id)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := o.run(t.Context(), "show", "--repo="+o.Repo(), id)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(shown, "ContentChecksum:  "+c.ContentChecksum+"\n") {
		t.Errorf("content checksum %s; ostree says %s", c.ContentChecksum, shown)
	}
	if got := c.Timestamp.Unix(); got != 1735689600 {
		t.Errorf("timestamp %d", got)
	}
	if c.Text("version") != "1.2" || c.Parent != "" {
		t.Errorf("version %q, parent %q", c.Text("version"), c.Parent)
	}
	pkgs, err := c.Packages()
	want := materialize.Package{Name: "bash", Epoch: "0", Version: "5.2", Release: "1", Arch: "x86_64"}
	if err != nil || len(pkgs) != 1 || pkgs[0] != want {
		t.Errorf("packages %v, %v", pkgs, err)
	}
	meta, err := c.CommitMeta()
	if err != nil {
		t.Fatal(err)
	}
	compact := strings.Join(strings.Fields(string(meta)), "")
	for _, want := range []string{`"numbers":[1,-2,3,4,true,0.5,[7,8]]`, `"rpmostree.rpmdb.pkglist":[["bash","0","5.2","1","x86_64"]]`} {
		if !strings.Contains(compact, want) {
			t.Errorf("commitmeta.json lacks %s: %s", want, compact)
		}
	}
}

func TestReadCommitDamaged(t *testing.T) {
	o, id := newStore(t)
	if _, err := ReadCommit(o.Repo(), strings.Repeat("0", 64)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a commit that is not there: %v", err)
	}
	path := commitPath(o.Repo(), id)
	if err := os.WriteFile(path, []byte("damaged"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadCommit(o.Repo(), id); !errors.Is(err, materialize.ErrCorrupt) {
		t.Errorf("a damaged commit: %v", err)
	}
}

func TestExportImport(t *testing.T) {
	o, id := newStore(t)
	dir := t.TempDir()
	var tars [2][]byte
	for i := range tars {
		task, _ := newTask(t)
		out := filepath.Join(dir, string(rune('a'+i))+".tar")
		if err := o.Export(t.Context(), id, []string{"1.2", "tiny/x86_64/main"}, out, task); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		tars[i] = b
		if err := os.RemoveAll(o.cfg.Repo); err != nil { // the second starts without what the first left
			t.Fatal(err)
		}
	}
	if !bytes.Equal(tars[0], tars[1]) {
		t.Error("two exports of one commit differ")
	}
	fresh := NewOSTree(Config{Workdir: t.TempDir(), Arch: "x86_64"})
	task, _ := newTask(t)
	if fresh.Has(t.Context(), id) {
		t.Error("an empty store has the commit")
	}
	if err := fresh.Import(t.Context(), filepath.Join(dir, "a.tar"), id, task); err != nil {
		t.Fatal(err)
	}
	if !fresh.Has(t.Context(), id) {
		t.Error("the imported commit is not there")
	}
	if b, err := fresh.Cat(t.Context(), id, "/hello"); err != nil || string(b) != "hello\n" {
		t.Errorf("/hello: %q, %v", b, err)
	}
	if _, err := fresh.Cat(t.Context(), id, "/nothing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("/nothing: %v", err)
	}
}

func TestImportRefusesDamage(t *testing.T) {
	o, id := newStore(t)
	task, _ := newTask(t)
	out := filepath.Join(t.TempDir(), "x.tar")
	if err := o.Export(t.Context(), id, nil, out, task); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for name, damaged := range map[string][]byte{
		"cut short": whole[:len(whole)/3],
		"escaping":  bytes.ReplaceAll(whole, []byte("./config"), []byte("../evil!")),
	} {
		file := filepath.Join(t.TempDir(), "damaged.tar")
		if err := os.WriteFile(file, damaged, 0o644); err != nil {
			t.Fatal(err)
		}
		fresh := NewOSTree(Config{Workdir: t.TempDir(), Arch: "x86_64"})
		if err := fresh.Import(t.Context(), file, id, task); err == nil {
			t.Errorf("%s: imported", name)
		}
		if fresh.Has(t.Context(), id) {
			t.Errorf("%s: the store has the commit", name)
		}
	}
	if err := o.Import(t.Context(), "x-ostree.x86_64.ociarchive", id, task); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("OCI archive: %v", err)
	}
}

func TestPruneKeepsRefs(t *testing.T) {
	o, id := newStore(t)
	if err := o.SetRef(t.Context(), "1.2", id); err != nil {
		t.Fatal(err)
	}
	if err := o.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !o.Has(t.Context(), id) {
		t.Fatal("a commit with a ref was pruned")
	}
	for range 2 { // the second time there is none
		if err := o.DeleteRef(t.Context(), "1.2"); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	if o.Has(t.Context(), id) {
		t.Error("a commit without a ref was kept")
	}
}

func FuzzParseCommit(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x00(a{sv}aya(say)sstayay)"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := ParseCommit(raw)
		if err != nil {
			return
		}
		if _, err := c.CommitMeta(); err != nil && !errors.Is(err, fs.ErrInvalid) {
			t.Fatal(err)
		}
	})
}

func FuzzDecodeVariant(f *testing.F) {
	for _, typ := range []string{"v", "as", "a{sv}", "(syv)", "aay", "a(sssss)", "(ay(x))"} {
		f.Add(typ, []byte("a\x00\x01\x02"))
	}
	f.Fuzz(func(_ *testing.T, typ string, data []byte) {
		_, _ = decodeVariant(typ, data) // must end and not panic, whatever it says
	})
}
