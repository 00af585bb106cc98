package pack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/materialize"
	"cosafs/materialize/disk/pack"
	"cosafs/test/need"
)

// A converter is VHDX or CompressedQCOW2.
type converter func(ctx context.Context, t *materialize.Task, disk, out string) error

func converters() map[string]converter {
	return map[string]converter{"vhdx": vhdx, "qcow2": pack.CompressedQCOW2}
}

func vhdx(ctx context.Context, t *materialize.Task, disk, out string) error {
	return pack.VHDX(ctx, t, disk, out, "seed")
}

// The same disk and seed give the same VHDX; another seed gives other identifiers.
func TestVHDXIsReproducible(t *testing.T) {
	need.Tool(t, "qemu-img")
	path, _ := sparse(t, rand.New(rand.NewPCG(3, 8)), 64<<20, 30)
	dir := t.TempDir()
	for i, seed := range []string{"one", "one", "two"} {
		if err := pack.VHDX(t.Context(), &materialize.Task{}, path, fmt.Sprint(dir, "/", i), seed); err != nil {
			t.Fatal(err)
		}
	}
	do(t, dir, nil, "cmp", "0", "1")
	if differ := strings.Count(string(do(t, dir, nil, "sh", "-c", "cmp -l 0 2 || true")), "\n"); differ < 3*8 || differ > 5*16+8 {
		t.Errorf("%d bytes differ between disks with other GUIDs", differ)
	}
}

// A file that qemu-img left open, or that is none, is refused, and removed.
func TestVHDXThatIsNone(t *testing.T) {
	dir := fakeQemuImg(t, `head -c 300000 /dev/zero >"$last"`)
	if err := pack.VHDX(t.Context(), &materialize.Task{}, "/dev/null", dir+"/out", "seed"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(dir + "/out"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is left: %v", err)
	}
}

// fakeQemuImg puts a script in the place of qemu-img, with the name of the output as
// $last, and gives its directory.
func fakeQemuImg(t *testing.T, script string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(dir+"/qemu-img", []byte("#!/bin/sh\nfor last; do :; done\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return dir
}

func TestQemuImgKeepsTheDisk(t *testing.T) {
	need.Tool(t, "qemu-img")
	path, im := sparse(t, rand.New(rand.NewPCG(1, 8)), 64<<20, 30)
	for name, convert := range converters() {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			if err := convert(t.Context(), &materialize.Task{}, path, out); err != nil {
				t.Fatal(err)
			}
			do(t, "", nil, "qemu-img", "check", "-f", name, out)
			do(t, "", nil, "qemu-img", "compare", "-f", "raw", "-F", name, path, out)
			var info struct {
				Format string
				Size   int64 `json:"virtual-size"`
			}
			if err := json.Unmarshal(do(t, "", nil, "qemu-img", "info", "--output=json", out), &info); err != nil {
				t.Fatal(err)
			}
			if info.Format != name || info.Size != im.Size() {
				t.Errorf("%+v", info)
			}
		})
	}
}

// Clusters are compressed, and the file is the same each time.
func TestCompressedQCOW2(t *testing.T) {
	need.Tool(t, "qemu-img")
	r := rand.New(rand.NewPCG(2, 8))
	dir := t.TempDir()
	b := randomBytes(r, 8<<20)
	if err := os.WriteFile(dir+"/disk", b, 0o600); err != nil {
		t.Fatal(err)
	}
	var outs [2][]byte
	for i := range outs {
		if err := pack.CompressedQCOW2(t.Context(), &materialize.Task{}, dir+"/disk", dir+"/out"); err != nil {
			t.Fatal(err)
		}
		var err error
		if outs[i], err = os.ReadFile(dir + "/out"); err != nil {
			t.Fatal(err)
		}
	}
	if len(outs[0]) > len(b)*3/4 {
		t.Errorf("%d bytes took %d", len(b), len(outs[0]))
	}
	if !bytes.Equal(outs[0], outs[1]) {
		t.Error("the second differs from the first")
	}
}

// After an error nothing is left of the output.
func TestQemuImgFails(t *testing.T) {
	need.Tool(t, "qemu-img")
	path, _ := sparse(t, rand.New(rand.NewPCG(3, 8)), 1<<20, 3)
	for name, convert := range converters() {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			out := filepath.Join(t.TempDir(), "out")
			err := convert(t.Context(), &materialize.Task{Log: &log}, path+".none", out)
			if err == nil || log.Len() == 0 {
				t.Errorf("no disk: %v, log %q", err, log.String())
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(errBroken)
			if err := convert(ctx, &materialize.Task{}, path, out); !errors.Is(err, errBroken) {
				t.Errorf("cancelled: %v", err)
			}
			t.Setenv("PATH", t.TempDir())
			err = convert(t.Context(), &materialize.Task{}, path, out)
			if class, hint := materialize.ClassOf(err); class != materialize.ClassTool || hint != "apt-get install qemu-utils" {
				t.Errorf("no qemu-img: %v: class %s, hint %q", err, class, hint)
			}
			if _, err := os.Stat(out); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the output is left: %v", err)
			}
		})
	}
}

// A qemu-img that runs is ended with the ctx: a program that stands for it says that it
// has begun, and then waits for its end.
func TestQemuImgEndsWithItsContext(t *testing.T) {
	dir := fakeQemuImg(t, `echo half >"$last"; echo begun >"$BEGUN"; exec sleep 600`)
	t.Setenv("BEGUN", dir+"/begun")
	do(t, dir, nil, "mkfifo", "begun")
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() { done <- vhdx(ctx, &materialize.Task{}, "/dev/null", dir+"/out") }()
	if _, err := os.ReadFile(dir + "/begun"); err != nil { // blocks until it's written
		t.Fatal(err)
	}
	cancel(errBroken)
	if err := <-done; !errors.Is(err, errBroken) {
		t.Error(err)
	}
	if _, err := os.Stat(dir + "/out"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half an output is left: %v", err)
	}
}
