package workdir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/materialize"
)

// The image of a build, and what takes its place.
const (
	plainImage  = "tiny-1.1-qemu.x86_64.qcow2"
	packedImage = plainImage + ".gz"
)

func swap() (was, now materialize.Artifact) {
	was = materialize.Artifact{Kind: "qemu", File: plainImage, Size: 5, SHA256: digest("image")}
	now = materialize.Artifact{
		Kind: "qemu", File: packedImage, Size: 6, SHA256: digest("packed"),
		Inside: &materialize.Content{SHA256: was.SHA256, Size: was.Size},
	}
	return was, now
}

// withImage gives records of a build with an image, and a file to take its place.
func withImage(t *testing.T) (r *records, file string) {
	t.Helper()
	r = openRecords(t, newDir(t))
	add(t, r, 1)
	if err := addImage(t, r, "1.1", "image"); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(filepath.Dir(r.root), "tmp", "packed")
	put(t, file, "packed")
	return r, file
}

// images gives the files of the build that are of its image.
func images(t *testing.T, r *records) []string {
	t.Helper()
	var all []string
	for _, name := range readNames(t, r.path("1.1/x86_64")) {
		if strings.Contains(name, "qemu") {
			all = append(all, name)
		}
	}
	return all
}

func TestReplaceArtifact(t *testing.T) {
	r, file := withImage(t)
	meta := r.path("1.1/x86_64/meta.json")
	put(t, meta, strings.Replace(get(t, meta), `"images": {`, `"amis": [], "images": {`, 1)) // by cosa meanwhile
	open, err := os.Open(r.path("1.1/x86_64/" + plainImage))
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close() //nolint:errcheck // read only
	was, now := swap()
	if err := r.ReplaceArtifact(t.Context(), "1.1", testArch, was, now, file); err != nil {
		t.Fatal(err)
	}
	wantNames(t, "images", images(t, r), packedImage)
	b, err := r.Build(t.Context(), "1.1", testArch)
	if a := b.Artifacts["qemu"]; err != nil || a.File != packedImage || !a.Packed() || *a.Inside != *now.Inside || !a.Local {
		t.Errorf("recorded: %+v, %v", a, err)
	}
	if !strings.Contains(get(t, meta), `"amis"`) {
		t.Error("what somebody else wrote is lost")
	}
	st, err := os.Stat(r.path("1.1/x86_64/" + packedImage))
	if err != nil || st.Mode().Perm()&0o222 != 0 {
		t.Errorf("mode %v, %v; want a file that nobody writes to", st.Mode(), err)
	}
	buf := make([]byte, 5)
	if _, err := open.ReadAt(buf, 0); err != nil || string(buf) != "image" {
		t.Errorf("who reads the old file gets %q, %v", buf, err)
	}
	wantNames(t, "journal", readNames(t, r.journal.dir))
}

// An entry that somebody else changed stays, with its file.
func TestReplaceOfWhatWasChanged(t *testing.T) {
	r, file := withImage(t)
	was, now := swap()
	was.SHA256 = digest("another")
	before := get(t, r.path("1.1/x86_64/meta.json"))
	if err := r.ReplaceArtifact(t.Context(), "1.1", testArch, was, now, file); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want ErrExist", err)
	}
	wantNames(t, "images", images(t, r), plainImage)
	if get(t, r.path("1.1/x86_64/meta.json")) != before {
		t.Error("meta.json was changed")
	}
	wantNames(t, "journal", readNames(t, r.journal.dir))
}

// A file of the name that nobody recorded is not ours to replace.
func TestReplaceWithSomethingInTheWay(t *testing.T) {
	r, file := withImage(t)
	put(t, r.path("1.1/x86_64/"+packedImage), "of cosa, which was killed")
	was, now := swap()
	err := r.ReplaceArtifact(t.Context(), "1.1", testArch, was, now, file)
	if _, hint := materialize.ClassOf(err); !errors.Is(err, fs.ErrExist) || hint == "" {
		t.Errorf("got %v, hint %q", err, hint)
	}
	wantNames(t, "images", images(t, r), plainImage, packedImage)
}

// A process that is killed between two steps leaves the image once, whichever step
// it was, and what is recorded is there.
func TestRecoverOfAReplacement(t *testing.T) {
	was, now := swap()
	link := func(r *records, file string) error { return os.Link(file, r.path("1.1/x86_64/"+packedImage)) }
	for name, c := range map[string]struct {
		steps []func(r *records, file string) error
		want  []string
	}{
		"before anything":    {nil, []string{plainImage}},
		"after the new file": {[]func(*records, string) error{link}, []string{plainImage}},
		"after meta.json": {[]func(*records, string) error{link, func(r *records, _ string) error {
			return r.swapImage(t.Context(), "1.1/x86_64/meta.json", was, now)
		}}, []string{packedImage}},
		"somebody took both away": {[]func(*records, string) error{link, func(r *records, _ string) error {
			meta := r.path("1.1/x86_64/meta.json")
			return os.WriteFile(meta, []byte(strings.Replace(get(t, meta), plainImage, "other.qcow2", 1)), 0o644)
		}}, []string{plainImage, packedImage}},
	} {
		t.Run(name, func(t *testing.T) {
			r, file := withImage(t)
			die(t, r, note{ID: "1.1", Arch: testArch, File: packedImage, Was: plainImage})
			for _, step := range c.steps {
				if err := step(r, file); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 { // the second time there is nothing to do
				if err := openRecords(t, filepath.Dir(r.root)).recover(t.Context()); err != nil {
					t.Fatal(err)
				}
				wantNames(t, "images", images(t, r), c.want...)
				wantNames(t, "journal", readNames(t, r.journal.dir))
			}
		})
	}
}
