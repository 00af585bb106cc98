package materialize_test

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "cosafs/materialize"
)

// A fakePacker gives every format the bytes of gzip, and may spoil what it gives.
type fakePacker struct{ lose bool }

func (p *fakePacker) Pack(_ context.Context, w io.Writer, r io.Reader, o PackOptions) error {
	if p.lose {
		r = io.LimitReader(r, 3)
	}
	z := gzip.NewWriter(w)
	z.Comment = strings.Repeat(o.Format+".", max(o.Level, 1))
	_, err := io.Copy(z, r)
	return errors.Join(err, z.Close())
}

func (p *fakePacker) Unpack(_ context.Context, f *os.File, _ string) (io.ReadCloser, error) {
	return gzip.NewReader(f)
}

// comment is how the file was compressed.
func comment(t *testing.T, path string) string {
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
	return z.Comment
}

// recorded gives the record of the build's metal image.
func (w *world) recorded(t *testing.T, kind string) Artifact {
	t.Helper()
	b, err := w.records.Build(t.Context(), "1.0", arch)
	if err != nil {
		t.Fatal(err)
	}
	return b.Artifacts[kind]
}

func metalOf(build string) Target { return Target{Build: build, Arch: arch, Kind: "metal"} }

func TestCompressAndBack(t *testing.T) {
	w := newWorld(t)
	w.build(t, BuildOptions{})
	made := w.open(t, "1.0", "metal")
	want, before := read(t, made.Path), w.recorded(t, "metal")
	for range 2 { // the second time nothing has to be done
		r, err := w.Compress(t.Context(), metalOf("1.0"), CompressOptions{Compressor: "xz"})
		if err != nil || r.Path != made.Path+".xz" {
			t.Fatalf("compress: %+v, %v", r, err)
		}
	}
	a := w.recorded(t, "metal")
	if !a.Local || a.File != before.File+".xz" || a.Inside == nil || *a.Inside != (Content{before.SHA256, before.Size}) || a.SHA256 == before.SHA256 {
		t.Errorf("recorded: %+v", a)
	}
	if _, err := os.Stat(made.Path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the uncompressed file: %v", err)
	}
	for range 2 {
		if r, err := w.Decompress(t.Context(), metalOf("1.0")); err != nil || r.Path != made.Path {
			t.Fatalf("decompress: %+v, %v", r, err)
		}
	}
	if got := read(t, made.Path); got != want {
		t.Error("the file came back as another one")
	}
	if a := w.recorded(t, "metal"); a.Inside != nil || a.SHA256 != before.SHA256 || a.Size != before.Size || a.File != before.File {
		t.Errorf("recorded: %+v; want %+v", a, before)
	}
}

func TestCompressorIsChosen(t *testing.T) {
	for name, c := range map[string]struct {
		image string
		o     CompressOptions
		want  string
	}{
		"given":       {`{"compressor":"zstd","platform-compressor":{"metal":"zip"}}`, CompressOptions{Compressor: "xz"}, "xz."},
		"of the kind": {`{"compressor":"zstd","platform-compressor":{"metal":"zip","qemu":"xz"}}`, CompressOptions{}, "zip."},
		"of all":      {`{"compressor":"zstd","platform-compressor":{"qemu":"xz"}}`, CompressOptions{}, "zst."},
		"not said":    {`{"size":1}`, CompressOptions{}, "gz."},
		"fast":        {`{"compressor":"zstd"}`, CompressOptions{Fast: true}, "gz."},
		"fast, given": {`{"compressor":"zstd"}`, CompressOptions{Compressor: "xz", Fast: true}, "xz."},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.disks.image = c.image
			w.build(t, BuildOptions{})
			w.open(t, "1.0", "metal")
			r, err := w.Compress(t.Context(), metalOf("1.0"), c.o)
			if err != nil {
				t.Fatal(err)
			}
			if got := comment(t, r.Path); got != c.want {
				t.Errorf("compressed with %q, want %q", got, c.want)
			}
		})
	}
}

// Nothing is replaced by what is not the same.
func TestCompressRefusesDamage(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(w *world, metal string) error
		want   error
	}{
		"of the input":  {func(_ *world, metal string) error { return changeByte(metal) }, ErrCorrupt},
		"of the output": {func(w *world, _ string) error { w.packer.lose = true; return nil }, ErrCorrupt},
		"no file":       {func(_ *world, metal string) error { return os.Remove(metal) }, fs.ErrNotExist},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.build(t, BuildOptions{})
			metal := w.open(t, "1.0", "metal").Path
			before := w.recorded(t, "metal")
			if err := c.damage(w, metal); err != nil {
				t.Fatal(err)
			}
			_, err := w.Compress(t.Context(), metalOf("1.0"), CompressOptions{Compressor: "gzip"})
			if _, hint := ClassOf(err); !errors.Is(err, c.want) || hint == "" {
				t.Errorf("%v, hint %q; want %v", err, hint, c.want)
			}
			if a := w.recorded(t, "metal"); a.SHA256 != before.SHA256 || a.File != before.File || a.Inside != nil {
				t.Errorf("recorded: %+v", a)
			}
			if left, _ := filepath.Glob(metal + ".*"); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

func TestDecompressRefusesDamage(t *testing.T) {
	w := newWorld(t)
	w.build(t, BuildOptions{})
	w.open(t, "1.0", "metal")
	r, err := w.Compress(t.Context(), metalOf("1.0"), CompressOptions{Compressor: "gzip"})
	if err := errors.Join(err, changeByte(r.Path)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Decompress(t.Context(), metalOf("1.0")); !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v", err)
	}
	if a := w.recorded(t, "metal"); !a.Packed() || !a.Local {
		t.Errorf("recorded: %+v", a)
	}
}

// changeByte changes one byte in the middle of a file.
func changeByte(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	b[len(b)/2] ^= 0xff
	return errors.Join(os.Chmod(path, 0o644), os.WriteFile(path, b, 0o644))
}

func TestCompressOfNothing(t *testing.T) {
	w := newWorld(t)
	w.build(t, BuildOptions{})
	if _, err := w.Compress(t.Context(), metalOf("1.0"), CompressOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("not recorded: %v", err)
	}
	w.open(t, "1.0", "metal")
	if _, err := w.Compress(t.Context(), metalOf("1.0"), CompressOptions{Compressor: "lzma"}); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("no such compressor: %v", err)
	}
}
