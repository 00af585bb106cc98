package compose

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cosafs/materialize"
)

var exportRefs = []string{"1.2", "tiny/x86_64/main", "tiny.x"}

// commitTree commits a tree with what trees have: nested and empty directories,
// links, equal files, empty ones, one that doesn't compress.
func commitTree(t *testing.T, o *OSTree) string {
	t.Helper()
	tree := t.TempDir()
	noise := make([]byte, 300<<10)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise) // it never fails
	for name, content := range map[string][]byte{
		"usr/bin/a": []byte("one"), "usr/bin/b": []byte("one"), "usr/lib/empty": nil, "usr/lib/os.d/noise": noise, "usr/lib-x/z": []byte("z"),
	} {
		path := filepath.Join(tree, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, content, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 40 {
		name := filepath.Join(tree, "usr/share", fmt.Sprint(i%7), fmt.Sprint("file", i))
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, noise[:i*37], 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Mkdir(filepath.Join(tree, "sysroot"), 0o755), os.Symlink("usr/bin", filepath.Join(tree, "bin"))); err != nil {
		t.Fatal(err)
	}
	id, err := o.run(t.Context(), "commit", "--repo="+o.cfg.BareRepo, "--orphan", "--parent=none", "--tree=dir="+tree,
		"--owner-uid=0", "--owner-gid=0", "--no-xattrs", "--add-detached-metadata-string=signed=no")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(id)
}

// export exports a commit, and gives the artifact.
func export(t *testing.T, o *OSTree, commit string, refs []string) []byte {
	t.Helper()
	task, _ := newTask(t)
	out := filepath.Join(t.TempDir(), "ostree.tar")
	if err := o.Export(t.Context(), commit, refs, out, task); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The artifact is a repository as ostree makes one, in a tar as it was written of
// directories before views were: recorded ones must come out again.
func TestExportIsOSTreesRepository(t *testing.T) {
	o, _ := newStore(t)
	commit := commitTree(t, o)
	repo := filepath.Join(t.TempDir(), "repo")
	if err := o.ensure(t.Context(), repo, "archive"); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"pull-local", "--repo=" + repo, o.cfg.BareRepo, commit},
		{"refs", "--repo=" + repo, "--create=1.2", commit},
		{"refs", "--repo=" + repo, "--create=tiny/x86_64/main", commit},
		{"refs", "--repo=" + repo, "--create=tiny.x", commit},
	} {
		if _, err := o.run(t.Context(), args...); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := export(t, o, commit, exportRefs), tarOfDir(t, repo); !bytes.Equal(got, want) {
		t.Errorf("members: %s\nwant: %s", memberNames(t, got), memberNames(t, want))
	}
}

// tarOfDir packs a repository's directory, but for locks and half-finished downloads.
func tarOfDir(t *testing.T, dir string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		rel := strings.TrimPrefix(strings.TrimPrefix(path, dir), "/")
		switch {
		case err != nil:
			return err
		case rel == ".lock":
			return nil
		case strings.HasPrefix(rel, "tmp/"):
			return fs.SkipDir
		case d.IsDir():
			name := strings.TrimSuffix("./"+rel, "/") + "/"
			return w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: 0o755, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR})
		}
		b, err := os.ReadFile(path)
		h := &tar.Header{Name: "./" + rel, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(b)), ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
		if err := errors.Join(err, w.WriteHeader(h)); err != nil {
			return err
		}
		_, err = w.Write(b)
		return err
	})
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func memberNames(t *testing.T, archive []byte) (names []string) {
	t.Helper()
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if err != nil {
			return names
		}
		names = append(names, h.Name)
	}
}

// The view is the artifact, wherever it is read.
func TestExportViewIsTheArtifact(t *testing.T) {
	o, _ := newStore(t)
	commit := commitTree(t, o)
	if _, err := o.ExportView(t.Context(), commit, exportRefs); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before the commit was exported: %v", err)
	}
	want := export(t, o, commit, exportRefs)
	if size, err := o.ExportSize(t.Context(), commit, exportRefs); err != nil || size != int64(len(want)) {
		t.Errorf("size %d, %v; want %d", size, err, len(want))
	}
	v, err := o.ExportView(t.Context(), commit, exportRefs)
	if err != nil {
		t.Fatal(err)
	}
	if got := whole(t, v); !bytes.Equal(got, want) {
		t.Errorf("%d bytes, others than the artifact's", len(got))
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		p, off := make([]byte, random.IntN(3000)), random.Int64N(v.Size())
		n, err := v.ReadAt(p, off)
		if n != min(len(p), len(want)-int(off)) || (err != nil) != (n < len(p)) || !bytes.Equal(p[:n], want[off:int(off)+n]) {
			t.Fatalf("%d bytes at %d: %d, %v, or others than the artifact's", len(p), off, n, err)
		}
	}
	if e, ok := v.Data(10); !ok || e != (materialize.Extent{Offset: 10, Length: v.Size() - 10}) || v.Blocks() < v.Size()/512 {
		t.Errorf("data %+v, %t; %d blocks", e, ok, v.Blocks())
	}
	other, err := o.ExportView(t.Context(), commit, []string{"2.0"})
	if err != nil || other.Size() == v.Size() && bytes.Equal(whole(t, other), want) {
		t.Errorf("other refs give the same: %v", err)
	}
}

func whole(t *testing.T, v materialize.View) []byte {
	t.Helper()
	b, err := io.ReadAll(io.NewSectionReader(v, 0, v.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What was exported once is exported again without the repository that it came from.
func TestExportAgain(t *testing.T) {
	o, _ := newStore(t)
	commit := commitTree(t, o)
	want := export(t, o, commit, exportRefs)
	if err := os.RemoveAll(o.cfg.BareRepo); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(export(t, o, commit, exportRefs), want) {
		t.Error("it came out as another one")
	}
	task, _ := newTask(t)
	gone := filepath.Join(t.TempDir(), "gone.tar")
	if err := o.Import(t.Context(), gone, commit, task); err != nil || !o.Has(t.Context(), commit) {
		t.Errorf("import without the artifact: %v", err)
	}
	if err := os.RemoveAll(o.cfg.Repo); err != nil {
		t.Fatal(err)
	}
	if err := o.Import(t.Context(), gone, commit, task); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("import from nowhere: %v", err)
	}
}

// Objects that are gone, cut, or of which ostree has a part only, are never read past.
func TestExportViewOfDamage(t *testing.T) {
	o, commit := newStore(t)
	export(t, o, commit, nil)
	v, err := o.ExportView(t.Context(), commit, nil)
	if err != nil {
		t.Fatal(err)
	}
	objects, err := filepath.Glob(filepath.Join(o.cfg.Repo, "objects", "*", "*.filez"))
	if err != nil || len(objects) == 0 {
		t.Fatal(objects, err)
	}
	read := func() error {
		_, err := io.Copy(io.Discard, io.NewSectionReader(v, 0, v.Size()))
		return err
	}
	if err := os.Truncate(objects[0], 1); err != nil {
		t.Fatal(err)
	}
	if err := read(); !errors.Is(err, materialize.ErrCorrupt) {
		t.Errorf("read of a cut object: %v", err)
	}
	if err := os.Remove(objects[0]); err != nil {
		t.Fatal(err)
	}
	if err := read(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("read of a missing object: %v", err)
	}
	fresh := NewOSTree(o.cfg)
	if _, err := fresh.ExportSize(t.Context(), commit, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("size without an object: %v", err)
	}
	partial := filepath.Join(o.cfg.Repo, "state", commit+".commitpartial")
	if err := os.WriteFile(partial, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := o.ExportSize(t.Context(), commit, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("size of a part: %v", err)
	}
}

func TestDamagedDirtree(t *testing.T) {
	o, commit := newStore(t)
	export(t, o, commit, nil)
	trees, err := filepath.Glob(filepath.Join(o.cfg.Repo, "objects", "*", "*.dirtree"))
	if err != nil || len(trees) == 0 {
		t.Fatal(trees, err)
	}
	if err := os.WriteFile(trees[0], []byte("damaged"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := NewOSTree(o.cfg).ExportView(t.Context(), commit, nil); !errors.Is(err, materialize.ErrCorrupt) {
		t.Errorf("view: %v", err)
	}
}

// A record can't name what lies outside of the repository.
func TestExportViewRefusesRefs(t *testing.T) {
	o, commit := newStore(t)
	export(t, o, commit, nil)
	for _, ref := range []string{"../x", "/x", "", "a//b"} {
		if _, err := o.ExportView(t.Context(), commit, []string{ref}); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%q: %v", ref, err)
		}
	}
}

func FuzzParseDirtree(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00"))
	f.Add(append(append([]byte("a\x00"), make([]byte, 32)...), 2, 35, 36))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := parseDirtree(raw)
		if err != nil {
			return
		}
		for _, sum := range d.files {
			if !commitID.MatchString(sum) {
				t.Errorf("checksum %q", sum)
			}
		}
		for _, s := range d.dirs {
			if !commitID.MatchString(s.tree) || !commitID.MatchString(s.meta) {
				t.Errorf("checksums %+v", s)
			}
		}
	})
}
