package pack_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"cosafs/materialize"
	"cosafs/materialize/disk/pack"
	"cosafs/test/need"
)

// A format is a kind with the tools that test a file of it and unpack it to stdout.
type format struct {
	kind         string
	test, unpack []string
}

func formats() []format {
	return []format{
		{"gz", []string{"gzip", "-t"}, []string{"gzip", "-dc"}},
		{"xz", []string{"xz", "-t"}, []string{"xz", "-dc"}},
		{"zst", []string{"zstd", "-qt"}, []string{"zstd", "-qdc"}},
		{"zip", []string{"unzip", "-qt"}, []string{"unzip", "-p"}},
	}
}

// own are the kinds that need no tool.
func own() []string { return []string{"gz", "zst", "zip"} }

func compress(t *testing.T, b []byte, kind string, o pack.CompressOptions) []byte {
	t.Helper()
	o.Name = "disk.raw"
	var out bytes.Buffer
	// Reads of odd lengths must not change what is written.
	if err := pack.Compress(t.Context(), &out, iotest.HalfReader(bytes.NewReader(b)), kind, o); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// inputs are what compressors find hard: nothing, chunks that end with the input, and
// data of which the end refers to the start of a chunk before.
func inputs() map[string][]byte {
	r := rand.New(rand.NewPCG(1, 5))
	noise := randomBytes(r, 2<<20+7)
	return map[string][]byte{
		"empty":  nil,
		"byte":   {1},
		"chunk":  noise[:1<<20],
		"chunks": noise[:2<<20],
		"odd":    noise,
		"frames": append(append(bytes.Clone(noise), make([]byte, 16<<20)...), noise...),
	}
}

func TestCompressGivesTheBytesBack(t *testing.T) {
	for _, f := range formats() {
		t.Run(f.kind, func(t *testing.T) {
			need.Tool(t, f.test[0], f.unpack[0])
			for name, want := range inputs() {
				path := filepath.Join(t.TempDir(), name+"."+f.kind)
				b := compress(t, want, f.kind, pack.CompressOptions{Level: 3})
				if err := os.WriteFile(path, b, 0o600); err != nil {
					t.Fatal(err)
				}
				if f.kind != "zip" || len(want) > 0 { // unzip -t calls an empty member a caution
					do(t, "", nil, f.test[0], append(f.test[1:], path)...)
				}
				got := do(t, "", nil, f.unpack[0], append(f.unpack[1:], path)...)
				if !bytes.Equal(got, want) {
					t.Errorf("%s: %d bytes became %d others", name, len(want), len(got))
				}
				if name == "frames" && len(b) > len(want)/4 {
					t.Errorf("%d bytes, mostly zeros, took %d", len(want), len(b))
				}
			}
		})
	}
}

// The number of CPUs, the user's settings and the time are not in the output.
func TestCompressIsReproducible(t *testing.T) {
	for _, f := range formats() {
		t.Run(f.kind, func(t *testing.T) {
			need.Tool(t, f.unpack[0])
			b := inputs()["frames"]
			first := compress(t, b, f.kind, pack.CompressOptions{Level: 1, Workers: 1})
			t.Setenv("XZ_OPT", "-9e")
			t.Setenv("XZ_DEFAULTS", "--check=crc32")
			second := compress(t, b, f.kind, pack.CompressOptions{Level: 1, Workers: 3})
			if !bytes.Equal(first, second) {
				t.Errorf("%d bytes, then %d others", len(first), len(second))
			}
		})
	}
}

// Level 0 is cosa's.
func TestCompressHasCosasLevels(t *testing.T) {
	b := randomBytes(rand.New(rand.NewPCG(2, 5)), 1<<20)
	for kind, level := range map[string]int{"gz": 6, "xz": 9, "zst": 10, "zip": 9} {
		t.Run(kind, func(t *testing.T) {
			if kind == "xz" {
				need.Tool(t, "xz")
			}
			if !bytes.Equal(compress(t, b, kind, pack.CompressOptions{}), compress(t, b, kind, pack.CompressOptions{Level: level})) {
				t.Errorf("not %d", level)
			}
			if bytes.Equal(compress(t, b, kind, pack.CompressOptions{Level: 1}), compress(t, b, kind, pack.CompressOptions{})) {
				t.Error("a level changes nothing")
			}
		})
	}
}

func TestCompressRefuses(t *testing.T) {
	for _, c := range []struct {
		kind string
		o    pack.CompressOptions
		want error
	}{
		{"bz2", pack.CompressOptions{}, errors.ErrUnsupported},
		{"", pack.CompressOptions{}, errors.ErrUnsupported},
		{"gz", pack.CompressOptions{Level: 10}, fs.ErrInvalid},
		{"xz", pack.CompressOptions{Level: -1}, fs.ErrInvalid},
		{"zst", pack.CompressOptions{Level: 23}, fs.ErrInvalid},
		{"zip", pack.CompressOptions{Name: "x", Level: 10}, fs.ErrInvalid},
		{"zip", pack.CompressOptions{}, fs.ErrInvalid},
		{"zip", pack.CompressOptions{Name: "a/b"}, fs.ErrInvalid},
	} {
		err := pack.Compress(t.Context(), io.Discard, bytes.NewReader(make([]byte, 9)), c.kind, c.o)
		if !errors.Is(err, c.want) {
			t.Errorf("%q %+v: %v, want %v", c.kind, c.o, err, c.want)
		}
	}
}

// A failing writer takes some bytes before it fails.
type failing struct {
	left int
	err  error
}

func (w *failing) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, w.err
	}
	return len(p), nil
}

var errBroken = errors.New("broken")

// Whichever side fails, the error is that side's, and no goroutine is left: the bubble
// doesn't end while there is one.
func TestCompressFails(t *testing.T) {
	noise := randomBytes(rand.New(rand.NewPCG(3, 5)), 40<<20)
	for _, kind := range own() {
		for name, c := range map[string]struct {
			w io.Writer
			r io.Reader
		}{
			"read":        {io.Discard, iotest.ErrReader(errBroken)},
			"late read":   {io.Discard, io.MultiReader(bytes.NewReader(noise[:35<<20]), iotest.ErrReader(errBroken))},
			"first write": {&failing{0, errBroken}, bytes.NewReader(noise)},
			"late write":  {&failing{4 << 20, errBroken}, bytes.NewReader(noise)},
		} {
			synctest.Test(t, func(t *testing.T) {
				err := pack.Compress(t.Context(), c.w, c.r, kind, pack.CompressOptions{Name: "x", Level: 1, Workers: 2})
				if !errors.Is(err, errBroken) {
					t.Errorf("%s, %s: %v", kind, name, err)
				}
			})
		}
	}
}

func TestXzFails(t *testing.T) {
	need.Tool(t, "xz")
	noise := make([]byte, 1<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise) // never fails
	err := pack.Compress(t.Context(), io.Discard, io.MultiReader(bytes.NewReader(noise), iotest.ErrReader(errBroken)),
		"xz", pack.CompressOptions{Level: 1})
	if !errors.Is(err, errBroken) {
		t.Errorf("read: %v", err)
	}
	err = pack.Compress(t.Context(), &failing{1000, errBroken}, bytes.NewReader(noise), "xz", pack.CompressOptions{Level: 1})
	if !errors.Is(err, errBroken) {
		t.Errorf("write: %v", err)
	}
}

// An endless reader ends the ctx after some reads.
type endless struct {
	reads  int
	cancel context.CancelCauseFunc
}

func (r *endless) Read(p []byte) (int, error) {
	if r.reads--; r.reads == 0 {
		r.cancel(errBroken)
	}
	return len(p), nil
}

func TestCompressEndsWithItsContext(t *testing.T) {
	for _, f := range formats() {
		t.Run(f.kind, func(t *testing.T) {
			if f.kind == "xz" {
				need.Tool(t, "xz")
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			err := pack.Compress(ctx, io.Discard, &endless{20, cancel}, f.kind, pack.CompressOptions{Name: "x", Level: 1})
			if !errors.Is(err, errBroken) {
				t.Error(err)
			}
		})
	}
}

func TestCompressWithoutXz(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := pack.Compress(t.Context(), io.Discard, bytes.NewReader(nil), "xz", pack.CompressOptions{})
	if class, hint := materialize.ClassOf(err); class != materialize.ClassTool || hint == "" {
		t.Errorf("%v: class %s, hint %q", err, class, hint)
	}
}

func BenchmarkCompress(b *testing.B) {
	noise := randomBytes(rand.New(rand.NewPCG(4, 5)), 32<<20)
	for _, kind := range own() {
		for _, workers := range []int{1, 2} {
			b.Run(fmt.Sprint(kind, "-", workers), func(b *testing.B) {
				b.SetBytes(int64(len(noise)))
				for b.Loop() {
					err := pack.Compress(b.Context(), io.Discard, bytes.NewReader(noise), kind,
						pack.CompressOptions{Name: "x", Level: 3, Workers: workers})
					if err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
