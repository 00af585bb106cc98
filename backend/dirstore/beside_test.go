package dirstore_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"cosafs/backend"
)

func TestBesideTakesPlace(t *testing.T) {
	b, builds, tmp := workdir(t)
	target, staged := filepath.Join(builds, "1/x86_64/disk"), filepath.Join(tmp, "disk")
	writeFile(t, target, []byte("old"))
	reader, err := os.Open(target)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()                             //nolint:errcheck // read only
	for _, content := range []string{"cut", "new"} { // the second time one of a killed process is there
		writeFile(t, staged, []byte(content))
		if err := b.PutBeside(t.Context(), staged, "1/x86_64/disk", "v2"); err != nil {
			t.Fatal(err)
		}
		wantIs(t, "the staged file", statErr(staged), fs.ErrNotExist)
		wantFile(t, target, "old")
	}
	if err := b.TakePlace("1/x86_64/disk", "v2"); err != nil {
		t.Fatal(err)
	}
	wantFile(t, target, "new")
	wantMode(t, target, 0o444)
	wantNoDots(t, filepath.Dir(target))
	buf := make([]byte, 3)
	if _, err := reader.ReadAt(buf, 0); err != nil || string(buf) != "old" {
		t.Errorf("who reads the old file gets %q, %v", buf, err)
	}
	wantIs(t, "TakePlace of nothing", b.TakePlace("1/x86_64/disk", "v2"), fs.ErrNotExist)
	wantFile(t, target, "new")
}

func TestBesideIsDropped(t *testing.T) {
	b, builds, tmp := workdir(t)
	target, staged := filepath.Join(builds, "1/x86_64/disk"), filepath.Join(tmp, "disk")
	writeFile(t, target, []byte("old"))
	writeFile(t, staged, []byte("new"))
	if err := b.PutBeside(t.Context(), staged, "1/x86_64/disk", "v2"); err != nil {
		t.Fatal(err)
	}
	wantIs(t, "DropBeside of another version", b.DropBeside("1/x86_64/disk", "v3"), fs.ErrNotExist)
	if err := b.DropBeside("1/x86_64/disk", "v2"); err != nil {
		t.Fatal(err)
	}
	wantFile(t, target, "old")
	wantNoDots(t, filepath.Dir(target))
}

func TestBesideStaysInside(t *testing.T) {
	b, _, tmp := workdir(t)
	staged := filepath.Join(tmp, "disk")
	writeFile(t, staged, []byte("new"))
	for _, c := range []struct{ key, version string }{{"1/x86_64/disk", ""}, {"1/x86_64/disk", "x/../../y"}, {"../disk", "v"}, {"1/x86_64/.disk", "v"}} {
		wantIs(t, "PutBeside "+c.key+" "+c.version, b.PutBeside(t.Context(), staged, backend.Key(c.key), c.version), fs.ErrInvalid)
		wantFile(t, staged, "new")
	}
	wantIs(t, "PutBeside to no build", b.PutBeside(t.Context(), staged, "2/x86_64/disk", "v"), fs.ErrNotExist)
}
