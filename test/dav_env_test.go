package test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/index"
	"cosafs/test/storegen"
)

// A door is a running cosafs serve.
type door struct {
	*daemon
	url string // ends with a slash
}

// door serves the build directory until the test ends.
func (e *env) door(options ...string) *door {
	e.Helper()
	args := append([]string{"--workdir", e.work, "serve", "--addr", "127.0.0.1:0"}, options...)
	d := &door{daemon: &daemon{Cmd: exec.Command(shared.cosafs, args...), gone: make(chan struct{})}}
	d.Env, d.Dir = e.environ, e.dir
	out, in, err := os.Pipe()
	if err != nil {
		e.Fatal(err)
	}
	e.Cleanup(func() { _ = out.Close() }) // only now: who serves may say more
	log, err := os.OpenFile(filepath.Join(e.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		e.Fatal(err)
	}
	d.Stdout, d.Stderr = in, log
	err = d.Start()
	_, _ = in.Close(), log.Close() // the door has them
	if err != nil {
		e.Fatal(err)
	}
	go func() { d.err = d.Wait(); close(d.gone) }()
	e.Cleanup(func() { e.shut(d) })
	line, err := bufio.NewReader(out).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "Serving ")
	if !ok {
		e.Fatalf("cosafs serve says %q, %v\n%s", line, err, tail(log.Name()))
	}
	d.url = url
	return d
}

// shut ends a door as a user would.
func (e *env) shut(d *door) {
	e.Helper()
	(&storeEnv{env: e}).end(d.daemon)
}

// A davImage is an image that clients fetch.
type davImage struct {
	path   string // below the tree's root
	file   string // where the build directory has it
	sha256 string
	size   int64
}

// built makes the one image of these tests that a virtual machine writes, and
// tells what is recorded of it.
func (e *env) built() davImage {
	e.Helper()
	e.cosafs("build", "qemu")
	id := e.latest()
	im := e.meta(id).Images["qemu"]
	path := id + "/x86_64/" + im.Path
	return davImage{path, filepath.Join(e.work, "builds", path), im.SHA256, im.Size}
}

// lose deletes an image; its record stays.
func (e *env) lose(im davImage) {
	e.Helper()
	if err := os.Remove(im.file); err != nil && !errors.Is(err, fs.ErrNotExist) { // another client may have failed to get it
		e.Fatal(err)
	}
}

// forget deletes an image and all that is known of it. Nobody may be serving it.
func (e *env) forget(im davImage) {
	e.Helper()
	e.lose(im)
	name := filepath.Join(filepath.Dir(im.file), "meta.json")
	data, err := os.ReadFile(name)
	if err != nil {
		e.Fatal(err)
	}
	m, err := index.ParseMeta(data)
	if err != nil {
		e.Fatal(err)
	}
	raw, _ := m.Get("images")
	var images map[string]json.RawMessage
	if err := json.Unmarshal(raw, &images); err != nil {
		e.Fatal(err)
	}
	delete(images, "qemu")
	err = errors.Join(m.Set("images", images), os.WriteFile(name, m.Bytes(), 0o644))
	if err := errors.Join(err, os.RemoveAll(filepath.Join(e.work, "cache", "cosafs", "memory"))); err != nil {
		e.Fatal(err)
	}
}

// large starts the build directory with a build that has an image of 2 GiB: a hole
// with random bytes at its ends and here and there, as disks are.
func (e *env) large() davImage {
	e.Helper()
	const size = 2 << 30
	tree, err := storegen.Make(e.Context(), storegen.Config{Dir: filepath.Join(e.work, "builds"), Builds: 1, Kinds: []index.Kind{"metal"}})
	if err != nil {
		e.Fatal(err)
	}
	file := tree.File(0, "x86_64", "metal")
	sum, err := writeSparse(file, size)
	if err == nil {
		err = tree.Record(0, "x86_64", "metal", sum, size)
	}
	if err != nil {
		e.Fatal(err)
	}
	path, err := filepath.Rel(tree.Dir, file)
	if err != nil {
		e.Fatal(err)
	}
	return davImage{path, file, sum, size}
}

// writeSparse writes a file of the size over an old one, and gives its sha256.
func writeSparse(name string, size int64) (string, error) {
	f, err := os.Create(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // what was written is read below
	random := rand.NewChaCha8([32]byte{1})
	block := make([]byte, 1<<20)
	for _, at := range []int64{0, 1<<20 + 77, size / 3, size/2 - 1, size - 1<<20} {
		_, _ = random.Read(block) // never fails
		if _, err := f.WriteAt(block, at); err != nil {
			return "", err
		}
	}
	return sumOf(io.NewSectionReader(f, 0, size))
}

// sumOf is the sha256 of all that r gives.
func sumOf(r io.Reader) (string, error) {
	h := sha256.New()
	_, err := io.Copy(h, r)
	return fmt.Sprintf("%x", h.Sum(nil)), err
}

// fetched checks a file that a client fetched against what is recorded.
func (im davImage) fetched(tb testing.TB, name string) {
	tb.Helper()
	f, err := os.Open(name)
	if err != nil {
		tb.Error(err)
		return
	}
	defer func() { _ = f.Close() }() // only read
	if sum, err := sumOf(f); err != nil || sum != im.sha256 {
		tb.Errorf("fetched sha256 %s, %v; recorded is %s", sum, err, im.sha256)
	}
}

// identical compares two files byte for byte, which takes less time than the sha256 of
// another 2 GiB.
func identical(tb testing.TB, got, want string) {
	tb.Helper()
	a, err := os.Open(got)
	if err != nil {
		tb.Error(err)
		return
	}
	defer func() { _ = a.Close() }() // only read
	b, err := os.Open(want)
	if err != nil {
		tb.Error(err)
		return
	}
	defer func() { _ = b.Close() }() // only read
	x, y := make([]byte, 1<<20), make([]byte, 1<<20)
	for at := int64(0); ; at += int64(len(x)) {
		n, err := io.ReadFull(a, x)
		m, err2 := io.ReadFull(b, y)
		if !bytes.Equal(x[:n], y[:m]) {
			tb.Errorf("%s differs from %s within a MiB of %d", got, want, at)
		}
		if err != nil || err2 != nil || n != m {
			return // the end of both, or they differ
		}
	}
}
