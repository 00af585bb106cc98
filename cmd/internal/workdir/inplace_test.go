package workdir

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/materialize"
	"cosafs/vfs"
)

// again gives the image of withImage and another one of the same name and size.
func again() (was, now materialize.Artifact) {
	was, _ = swap()
	now = was
	now.SHA256 = digest("other")
	return was, now
}

func TestReplaceInPlace(t *testing.T) {
	r, file := withImage(t)
	put(t, file, "other")
	meta := r.path("1.1/x86_64/meta.json")
	put(t, meta, strings.Replace(get(t, meta), `"images": {`, `"amis": [], "images": {`, 1)) // by cosa meanwhile
	open, err := os.Open(r.path("1.1/x86_64/" + plainImage))
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close() //nolint:errcheck // read only
	was, now := again()
	if err := r.ReplaceArtifact(t.Context(), "1.1", testArch, was, now, file); err != nil {
		t.Fatal(err)
	}
	wantImage(t, r, "other")
	if !strings.Contains(get(t, meta), `"amis"`) {
		t.Error("what somebody else wrote is lost")
	}
	st, err := os.Stat(r.path("1.1/x86_64/" + plainImage))
	if err != nil || st.Mode().Perm()&0o222 != 0 {
		t.Errorf("mode %v, %v; want a file that nobody writes to", st.Mode(), err)
	}
	buf := make([]byte, 5)
	if _, err := open.ReadAt(buf, 0); err != nil || string(buf) != "image" {
		t.Errorf("who reads the old file gets %q, %v", buf, err)
	}
}

// wantImage checks that the image's record and its only file are of that content,
// and that nothing is left to do.
func wantImage(t *testing.T, r *records, content string) {
	t.Helper()
	wantNames(t, "images", images(t, r), plainImage)
	wantNames(t, "journal", readNames(t, r.journal.dir))
	b, err := r.Build(t.Context(), "1.1", testArch)
	if a := b.Artifacts["qemu"]; err != nil || a.SHA256 != digest(content) || !a.Local {
		t.Errorf("recorded: %+v, %v; want that of %q", a, err, content)
	}
	if got := get(t, r.path("1.1/x86_64/"+plainImage)); got != content {
		t.Errorf("the file holds %q, want %q", got, content)
	}
}

// What is gone or damaged comes back under its record.
func TestReplaceInPlaceMends(t *testing.T) {
	for name, lose := range map[string]func(path string) error{
		"gone": os.Remove,
		"damaged": func(path string) error {
			return errors.Join(os.Remove(path), os.WriteFile(path, []byte("imbge"), 0o444))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, file := withImage(t)
			put(t, file, "image")
			if err := lose(r.path("1.1/x86_64/" + plainImage)); err != nil {
				t.Fatal(err)
			}
			was, _ := again()
			if err := r.ReplaceArtifact(t.Context(), "1.1", testArch, was, was, file); err != nil {
				t.Fatal(err)
			}
			wantImage(t, r, "image")
		})
	}
}

func TestReplaceInPlaceOfWhatWasChanged(t *testing.T) {
	r, file := withImage(t)
	put(t, file, "other")
	was, now := again()
	was.SHA256 = digest("third")
	if err := r.ReplaceArtifact(t.Context(), "1.1", testArch, was, now, file); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want ErrExist", err)
	}
	wantImage(t, r, "image")
}

// Whichever step a process was killed after, both images are there until one of them
// is recorded and has the name, and then only that.
func TestRecoverOfAReplacementInPlace(t *testing.T) {
	was, now := again()
	wait := func(r *records, file string) error {
		return r.builds.PutBeside(t.Context(), file, "1.1/x86_64/"+plainImage, versionOf(now.SHA256))
	}
	record := func(r *records, _ string) error { return r.swapImage(t.Context(), "1.1/x86_64/meta.json", was, now) }
	name := func(r *records, _ string) error {
		return r.builds.TakePlace("1.1/x86_64/"+plainImage, versionOf(now.SHA256))
	}
	type steps []func(r *records, file string) error
	for text, c := range map[string]struct {
		steps steps
		want  string
	}{
		"before anything":    {nil, "image"},
		"after the new file": {steps{wait}, "image"},
		"after meta.json":    {steps{wait, record}, "other"},
		"after its name":     {steps{wait, record, name}, "other"},
	} {
		t.Run(text, func(t *testing.T) {
			r, file := withImage(t)
			put(t, file, "other")
			die(t, r, note{ID: "1.1", Arch: testArch, File: now.File, Was: was.File, SHA256: now.SHA256})
			for _, step := range c.steps {
				if err := step(r, file); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 { // the second time there is nothing to do
				if err := openRecords(t, filepath.Dir(r.root)).recover(t.Context()); err != nil {
					t.Fatal(err)
				}
				wantImage(t, r, c.want)
			}
		})
	}
}

// A note that is not ours leads nowhere.
func TestRecoverOfAStrangeReplacement(t *testing.T) {
	r, _ := withImage(t)
	put(t, filepath.Join(r.root, "precious"), "x")
	die(t, r, note{ID: "1.1", Arch: testArch, File: "../../precious", Was: "../../precious", SHA256: "/../../precious"})
	if err := r.recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantImage(t, r, "image")
	if got := get(t, filepath.Join(r.root, "precious")); got != "x" {
		t.Errorf("it holds %q", got)
	}
}

// contentOf opens the entry and reads it.
func contentOf(t *testing.T, w *Workdir, e vfs.Entry) (string, error) {
	t.Helper()
	b, err := w.Library().Open(t.Context(), e)
	if err != nil {
		return "", err
	}
	defer b.Close() //nolint:errcheck // read only
	buf := make([]byte, b.Size())
	_, err = b.ReadAt(t.Context(), buf, 0)
	return string(buf), err
}

// listed finds the image in the snapshot.
func listed(t *testing.T, w *Workdir) vfs.Entry {
	t.Helper()
	for _, f := range filesOf(t, w.Library().Snapshot().Builds[0].Arches[0]) {
		if f.Name == plainImage {
			return f
		}
	}
	t.Fatal("the image is not listed")
	return vfs.Entry{}
}

// Who knows an image that another one took the place of is told to look again, also
// when another process replaced it; bytes never come under the wrong digest, not even
// between the steps.
func TestReplacedImageIsAnotherFile(t *testing.T) {
	w := newWorkdir(t)
	add(t, w.records, 1)
	if err := addImage(t, w.records, "1.1", "image"); err != nil {
		t.Fatal(err)
	}
	first := listed(t, w)
	if got, err := contentOf(t, w, first); err != nil || got != "image" || first.Version != "" {
		t.Fatalf("%q, %v of %+v", got, err, first)
	}
	other := openRecords(t, w.root) // another process's
	file := filepath.Join(w.root, "tmp", "other")
	put(t, file, "other")
	was, now := again()
	err := other.builds.PutBeside(t.Context(), file, "1.1/x86_64/"+plainImage, versionOf(now.SHA256))
	if got, openErr := contentOf(t, w, first); err != nil || openErr != nil || got != "image" {
		t.Errorf("while the other one waits: %q, %v, %v", got, err, openErr)
	}
	err = other.swapImage(t.Context(), "1.1/x86_64/meta.json", was, now)
	for _, step := range []string{"recorded", "named"} {
		if _, openErr := contentOf(t, w, first); err != nil || !errors.Is(openErr, vfs.ErrStale) {
			t.Errorf("%s: the old entry gives %v, %v; want ErrStale", step, err, openErr)
		}
		second := listed(t, w)
		if got, openErr := contentOf(t, w, second); openErr != nil || got != "other" || second.Version == "" || second.SHA256 != now.SHA256 {
			t.Errorf("%s: %q, %v of %+v", step, got, openErr, second)
		}
		err = ifPresent(other.builds.TakePlace("1.1/x86_64/"+plainImage, versionOf(now.SHA256)))
	}
}

// Names that are not listed know of it, too.
func TestReplacedImageByOtherNames(t *testing.T) {
	w := newWorkdir(t)
	add(t, w.records, 1)
	if err := addImage(t, w.records, "1.1", "image"); err != nil {
		t.Fatal(err)
	}
	look := func(name string) vfs.Entry {
		e, err := w.Library().Resolve(t.Context(), "1.1", testArch, name)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	names := []string{"qemu.qcow2", "qemu.qcow2.xz"}
	var before []vfs.Entry
	for _, name := range names {
		before = append(before, look(name))
	}
	file := filepath.Join(w.root, "tmp", "other")
	put(t, file, "other")
	was, now := again()
	if err := w.records.ReplaceArtifact(t.Context(), "1.1", testArch, was, now, file); err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		if after := look(name); before[i].Version != "" || after.Version == "" {
			t.Errorf("%s: versions %q, %q", name, before[i].Version, after.Version)
		}
	}
	if _, err := w.Library().Refresh(t.Context(), before[1]); !errors.Is(err, vfs.ErrStale) {
		t.Errorf("refreshed: %v; want ErrStale", err)
	}
}

// disks are a disk writer whose images need no disk.
type disks struct {
	materialize.DiskWriter
	content string
}

func (d *disks) Kinds() []string { return []string{"metal", "qemu"} }
func (d *disks) Views() []string { return nil }
func (d *disks) Tool() string    { return "test" }

func (d *disks) Write(_ context.Context, req materialize.DiskRequest, _ *materialize.Task) (materialize.BaseDisk, error) {
	return materialize.BaseDisk{Path: req.Out, Size: 4}, os.WriteFile(req.Out, []byte("disk"), 0o644)
}

func (d *disks) Make(_ context.Context, _ materialize.ImageRequest, out string, _ *materialize.Task) error {
	return os.WriteFile(out, []byte(d.content), 0o644)
}

// commits are a repository that has every commit.
type commits struct{ materialize.CommitStore }

func (commits) Has(context.Context, string) bool { return true }
func (commits) Repo() string                     { return "" }
func (commits) Cat(context.Context, string, string) ([]byte, error) {
	return []byte("{}"), nil
}

func TestRemake(t *testing.T) {
	w := newWorkdir(t)
	add(t, w.records, 1)
	if err := addImage(t, w.records, "1.1", "image"); err != nil {
		t.Fatal(err)
	}
	d := &disks{content: "image"}
	w.maker.Disks, w.maker.Commits = d, commits{}
	for _, c := range []struct {
		content string
		same    bool
	}{{"image", true}, {"another image", false}, {"another image", true}} {
		d.content = c.content
		r, err := w.Remake(t.Context(), "latest/x86_64/qemu.qcow2", nil)
		if err != nil || r.Same != c.same || filepath.Base(r.Path) != plainImage {
			t.Fatalf("of %q: %+v, %v", c.content, r, err)
		}
		wantImage(t, w.records, c.content)
	}
	for path, want := range map[string]error{"1.1/x86_64/ostree.tar": fs.ErrInvalid, "1.1/x86_64/qemu.qcow2.xz": fs.ErrInvalid, "0.9/x86_64/qemu.qcow2": fs.ErrNotExist} {
		_, err := w.Remake(t.Context(), path, nil)
		if _, hint := materialize.ClassOf(err); !errors.Is(err, want) || hint == "" {
			t.Errorf("%s: %v, hint %q; want %v", path, err, hint, want)
		}
	}
	wantImage(t, w.records, "another image")
}

// What is recorded compressed is named as it is, or uncompressed.
func TestRemakeOfCompressed(t *testing.T) {
	for _, path := range []string{"1.1/x86_64/qemu.qcow2", "1.1/x86_64/" + packedImage} {
		r, file := withImage(t)
		was, now := swap()
		if err := r.ReplaceArtifact(t.Context(), "1.1", testArch, was, now, file); err != nil {
			t.Fatal(err)
		}
		w := openDir(t, filepath.Dir(r.root))
		w.maker.Disks, w.maker.Commits = &disks{content: "image"}, commits{}
		if _, err := w.Remake(t.Context(), path, nil); err != nil {
			t.Fatal(err)
		}
		wantImage(t, r, "image")
	}
}
