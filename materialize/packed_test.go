package materialize_test

import (
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "cosafs/materialize"
)

// unzipped gives what a file of the fake packer holds.
func unzipped(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // read only
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSplitKind(t *testing.T) {
	for kind, want := range map[string][2]string{"metal": {"metal", ""}, "live-iso.xz": {"live-iso", "xz"}, "qemu.plain": {"qemu", Plain}} {
		plain, format := SplitKind(kind)
		if [2]string{plain, format} != want {
			t.Errorf("SplitKind(%q) = %q, %q", kind, plain, format)
		}
		if format != "" && PackedKind(plain, format) != kind {
			t.Errorf("PackedKind(%q, %q) = %q", plain, format, PackedKind(plain, format))
		}
	}
}

func TestCutFormat(t *testing.T) {
	for name, want := range map[string]string{
		"a.raw.xz": "a.raw xz", "a.gz": "a gz", "a.zst": "a zst", "a.zip": "a zip", "a.raw": "", "a": "", ".gz": "", "gz": "", "": "", "a.": "",
	} {
		plain, format, ok := CutFormat(name)
		if got := strings.TrimSpace(plain + " " + format); ok != (want != "") || ok && got != want {
			t.Errorf("CutFormat(%q) = %q, %t", name, got, ok)
		}
	}
}

// A view is compressed once, into the cache; nothing is recorded.
func TestPackedView(t *testing.T) {
	w := newWorld(t)
	_, want := w.look(t, Next, "azure")
	wantPlan(t, w.plan(t, "1.0", "azure.xz"), StateBuildable, "(commit) (base disk) (azure) compress")
	r := w.open(t, Next, "azure.xz")
	if got := unzipped(t, r.Path); got != want || !strings.HasPrefix(comment(t, r.Path), "xz.") || r.Build != "1.0" {
		t.Errorf("%+v holds %.80q, want %.80q", r, got, want)
	}
	if !strings.HasPrefix(r.Path, filepath.Join(w.dir, "state")) || filepath.Ext(r.Path) != ".xz" {
		t.Errorf("it is %s", r.Path)
	}
	wantPlan(t, w.plan(t, "1.0", "azure.xz"), StateCached, "(commit) (base disk) (azure) (compress)")
	if again := w.open(t, "1.0", "azure.xz"); again.Path != r.Path {
		t.Errorf("the second time it is %s, not %s", again.Path, r.Path)
	}
	w.wantRuns(t, 1, 1, 0)
	if len(w.records.builds["1.0"].Artifacts) != 1 {
		t.Errorf("recorded: %+v", w.records.builds["1.0"].Artifacts)
	}
}

// An artifact that has to be a file is made and recorded on the way.
func TestPackedFile(t *testing.T) {
	w := newWorld(t)
	r := w.open(t, Next, "metal.zst")
	metal := w.recorded(t, "metal")
	if !r.New || !metal.Local || metal.Packed() {
		t.Fatalf("%+v; recorded %+v", r, metal)
	}
	if unzipped(t, r.Path) != read(t, w.open(t, "1.0", "metal").Path) {
		t.Error("it is not metal")
	}
	if again := w.open(t, "1.0", "metal.zst"); again.Path != r.Path {
		t.Errorf("the second time it is %s, not %s", again.Path, r.Path)
	}
	w.wantRuns(t, 1, 1, 1)
}

// What is recorded compressed is served as it is recorded, in the format of its
// name; any other format, and none, comes of it.
func TestPackedOfCompressed(t *testing.T) {
	w := newWorld(t)
	w.build(t, BuildOptions{})
	want := read(t, w.open(t, "1.0", "metal").Path)
	if r, err := w.Compress(t.Context(), metalOf("1.0"), CompressOptions{Compressor: "gzip"}); err != nil {
		t.Fatal(err)
	} else if got := w.open(t, "1.0", "metal.gz"); got.Path != r.Path {
		t.Errorf("metal.gz is %s, not the recorded %s", got.Path, r.Path)
	}
	wantPlan(t, w.plan(t, "1.0", "metal.gz"), StateLocal, "(read)")
	wantPlan(t, w.plan(t, "1.0", "metal.plain"), StateBuildable, "(read) decompress")
	if got := w.open(t, "1.0", "metal.plain"); read(t, got.Path) != want || filepath.Ext(got.Path) != ".raw" {
		t.Errorf("uncompressed it is another one: %+v", got)
	}
	wantPlan(t, w.plan(t, "1.0", "metal.plain"), StateCached, "(read) (decompress)")
	if got := w.open(t, "1.0", "metal.xz"); unzipped(t, got.Path) != want || comment(t, got.Path) != "xz." {
		t.Errorf("metal.xz: %+v", got)
	}
	wantPlan(t, w.plan(t, Next, "metal"), StateCached, "(read) (decompress)")
	if got := w.open(t, Next, "metal"); read(t, got.Path) != want {
		t.Errorf("in next/ it is compressed: %+v", got)
	}
	w.wantRuns(t, 1, 1, 1)
}

// Damage of what is recorded is no uncompressed file.
func TestPackedOfDamage(t *testing.T) {
	w := newWorld(t)
	w.build(t, BuildOptions{})
	w.open(t, "1.0", "metal")
	r, err := w.Compress(t.Context(), metalOf("1.0"), CompressOptions{Compressor: "gzip"})
	if err := errors.Join(err, changeByte(r.Path)); err != nil {
		t.Fatal(err)
	}
	target := Target{Build: "1.0", Arch: arch, Kind: "metal.plain"}
	if _, err := w.Make(t.Context(), target); err == nil {
		t.Error("damage was served")
	}
	p := w.plan(t, "1.0", "metal.plain")
	if p.State != StateFailed {
		t.Errorf("plan: %+v", p)
	}
	if err := w.Retry(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	if p := w.plan(t, "1.0", "metal.plain"); p.State != StateBuildable {
		t.Errorf("after retry: %+v", p)
	}
}

// Few files stay in the cache: those used last. One that is damaged is made again.
func TestPackedIsCleared(t *testing.T) {
	w := newWorld(t)
	w.build(t, BuildOptions{})
	var paths []string
	for _, kind := range []string{"azure.gz", "azure.xz", "azure.zst", "azure.zip", "qemu.gz", "qemu.xz"} {
		paths = append(paths, w.open(t, "1.0", kind).Path)
		w.open(t, "1.0", "azure.gz") // is used all the time
	}
	left, err := filepath.Glob(filepath.Join(w.dir, "state", "packed", "*", "*", ""))
	if err != nil || len(left) != 2*4 {
		t.Errorf("left: %v, %v", left, err)
	}
	for i, gone := range []bool{false, true, true, false, false, false} {
		if _, err := os.Stat(paths[i]); errors.Is(err, fs.ErrNotExist) != gone {
			t.Errorf("%s: %v", paths[i], err)
		}
	}
	want := read(t, paths[0])
	if err := errors.Join(os.Chmod(paths[0], 0o644), os.Truncate(paths[0], 3)); err != nil {
		t.Fatal(err)
	}
	if r := w.open(t, "1.0", "azure.gz"); read(t, r.Path) != want {
		t.Error("a file that was cut off is served")
	}
}
