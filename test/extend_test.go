package test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// extend --force puts the image that comes of the build's disk in the place of the
// recorded one: under a mount, whose readers read on, and killed at random moments.
func TestExtendForce(t *testing.T) {
	t.Parallel()
	needAll(t)
	e := newEnv(t)
	e.mount()
	if err := head(e.path("next", "x86_64", "qemu.qcow2")); err != nil {
		t.Fatal(err)
	}
	id := e.latest()
	shown := e.path(id, "x86_64", "qemu.qcow2")
	before := e.meta(id)
	if out := e.cosafs("extend", "--force", "--json", "qemu"); !strings.Contains(out, `"same": true`) || fmt.Sprint(e.meta(id)) != fmt.Sprint(before) {
		t.Errorf("the same image was replaced: %s", out)
	}
	e.otherImage(id, "qemu")
	other := e.meta(id).Images["qemu"].SHA256
	e.eventually("the mount shows what somebody else recorded", time.Minute, func() bool { return e.sumThere(shown) == other })
	reader, err := os.Open(shown)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close() //nolint:errcheck // read only
	e.cosafs("extend", "--force", "qemu")
	if got := e.sumThere(shown); got != before.Images["qemu"].SHA256 {
		t.Errorf("it reads as %s, want %s", got, before.Images["qemu"].SHA256)
	}
	if got, err := sumOf(reader); err != nil || got != other {
		t.Errorf("who reads on gets %s, %v; want %s", got, err, other)
	}
	e.intact(id)
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	e.cosafs("umount", e.mnt)
	e.killedInPlace(id, "qemu")
	if n := e.vmRuns(); n != 1 {
		t.Errorf("%d disks were written, want 1", n)
	}
}

// killedInPlace kills replacements at random moments. Each time one of the two images
// is recorded and there, beside nothing else once the next process looked.
func (e *env) killedInPlace(id, kind string) {
	e.Helper()
	r := rand.New(rand.NewPCG(7, 8))
	dir := filepath.Join(e.work, "builds", id, "x86_64")
	for range 8 {
		e.otherImage(id, kind)
		e.killed(time.Duration(r.IntN(int(time.Second))), "extend", "--force", kind)
		e.cosafs("list") // cleans up
		e.intact(id)
		if hidden, err := filepath.Glob(filepath.Join(dir, ".*"+kind+"*")); err != nil || len(hidden) > 0 {
			e.Fatalf("left: %v, %v", hidden, err)
		}
	}
}

// sumThere is the sha256 of a file, "" while it can't be read.
func (e *env) sumThere(path string) string {
	out, _, err := e.try("sha256sum", path)
	sum, _, _ := strings.Cut(out, " ")
	if err != nil {
		return ""
	}
	return sum
}

// otherImage records an image with another last byte, as somebody else's program might.
func (e *env) otherImage(id, kind string) {
	e.Helper()
	dir := filepath.Join(e.work, "builds", id, "x86_64")
	im := e.meta(id).Images[kind]
	path, meta := filepath.Join(dir, im.Path), filepath.Join(dir, "meta.json")
	image, err := os.ReadFile(path)
	if err != nil {
		e.Fatal(err)
	}
	image[len(image)-1] ^= 0xff
	sum, err := sumOf(bytes.NewReader(image))
	if err != nil {
		e.Fatal(err)
	}
	text, err := os.ReadFile(meta)
	if err != nil {
		e.Fatal(err)
	}
	e.replaceFile(meta, []byte(strings.ReplaceAll(string(text), im.SHA256, sum)))
	e.replaceFile(path, image)
}

// replaceFile writes a file anew, under its name in one step.
func (e *env) replaceFile(path string, content []byte) {
	e.Helper()
	temp := filepath.Join(e.work, "tmp", "replacement")
	if err := os.WriteFile(temp, content, 0o644); err != nil {
		e.Fatal(err)
	}
	if err := os.Rename(temp, path); err != nil {
		e.Fatal(err)
	}
}
