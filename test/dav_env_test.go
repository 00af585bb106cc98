package test

import (
	"bufio"
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

// built gives the one build of these tests, and tells what is recorded of its image.
func (e *env) built() davImage {
	e.Helper()
	e.buildOnce()
	return e.artifact("qemu")
}

// artifact tells what is recorded of an artifact of the newest build.
func (e *env) artifact(kind string) davImage {
	e.Helper()
	id := e.latest()
	im := e.meta(id).Images[kind]
	path := id + "/x86_64/" + im.Path
	return davImage{path, filepath.Join(e.work, "builds", path), im.SHA256, im.Size}
}

// buildOnce builds, or takes over the build of this run that was made before.
func (e *env) buildOnce() {
	e.Helper()
	shared.Lock()
	defer shared.Unlock()
	kept, parts := filepath.Join(shared.dir, "built"), []string{"builds", "cache", "tmp"}
	if absent(kept) != "" {
		e.cosafs("build", "qemu")
		e.mkdir(kept + ".part")
		e.copyParts(e.work, kept+".part", parts)
		e.sh("mv", kept+".part", kept)
	} else {
		for _, part := range parts {
			e.sh("rm", "-r", filepath.Join(e.work, part))
		}
		e.copyParts(kept, e.work, parts)
	}
}

// copyParts copies directories below one to another; files keep their holes.
func (e *env) copyParts(from, to string, parts []string) {
	e.Helper()
	for _, part := range parts {
		e.sh("cp", "-a", "--sparse=always", filepath.Join(from, part), to)
	}
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

// large adds a build with an image of 2 GiB to the build directory: a hole with
// random bytes at its ends and here and there, as disks are.
func (e *env) large() davImage {
	e.Helper()
	const size = 2 << 30
	tree, err := storegen.Make(e.Context(), storegen.Config{Dir: filepath.Join(e.dir, "large"), Builds: 1, Kinds: []index.Kind{"metal"}})
	if err != nil {
		e.Fatal(err)
	}
	id, name := string(tree.IDs[0]), tree.File(0, "x86_64", "metal")
	sum, err := writeSparse(name, size)
	if err == nil {
		err = tree.Record(0, "x86_64", "metal", sum, size)
	}
	if err == nil {
		err = os.Rename(filepath.Join(tree.Dir, id), filepath.Join(e.work, "builds", id))
	}
	if err != nil {
		e.Fatal(err)
	}
	e.listLast(id)
	path := filepath.Join(id, "x86_64", filepath.Base(name))
	return davImage{path, filepath.Join(e.work, "builds", path), sum, size}
}

// listLast adds a build to the end of builds.json.
func (e *env) listLast(id string) {
	e.Helper()
	name := filepath.Join(e.work, "builds", "builds.json")
	data, err := os.ReadFile(name)
	if err != nil {
		e.Fatal(err)
	}
	var all map[string]json.RawMessage
	var builds []any
	if err := json.Unmarshal(data, &all); err != nil {
		e.Fatal(err)
	}
	if err := json.Unmarshal(all["builds"], &builds); err != nil {
		e.Fatal(err)
	}
	builds = append(builds, map[string]any{"id": id, "arches": []string{"x86_64"}})
	if all["builds"], err = json.Marshal(builds); err == nil {
		data, err = json.Marshal(all)
	}
	if err := errors.Join(err, os.WriteFile(name, data, 0o644)); err != nil {
		e.Fatal(err)
	}
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
	if out, err := exec.CommandContext(tb.Context(), "cmp", got, want).CombinedOutput(); err != nil {
		tb.Errorf("%v: %s", err, out)
	}
}
