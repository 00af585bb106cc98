package test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Names with a compression's suffix come to be like any other, and compress and
// decompress under a mount take nothing away from it.
func TestCompressedFromNothing(t *testing.T) {
	t.Parallel()
	needAll(t)
	needTools(t, "xz")
	e := newEnv(t)
	e.mount()
	packed := e.path("next", "x86_64", "metal.raw.xz")
	sum := e.sh("sh", "-c", "xz -dc "+packed+" | sha256sum")
	id := e.latest()
	if got := e.sh("sh", "-c", "sha256sum < "+e.path(id, "x86_64", "metal.raw")); got != sum {
		t.Errorf("metal.raw.xz holds %s, metal.raw is %s", sum, got)
	}
	if got := e.sh("sh", "-c", "gzip -dc "+e.path(id, "x86_64", "azure.vhd.gz")+" | cmp - "+e.path(id, "x86_64", "azure.vhd")); got != "" {
		t.Error(got)
	}
	if names := e.sh("ls", e.path(id, "x86_64")); strings.Contains(names, ".xz") || strings.Contains(names, "vhd") {
		t.Errorf("listed: %s", names)
	}
	if n := e.vmRuns(); n != 1 {
		t.Errorf("%d disks were written, want 1", n)
	}
	e.compressUnderAMount(id, sum)
}

// compressUnderAMount compresses a build while somebody reads it, and undoes it.
func (e *env) compressUnderAMount(id, metal string) {
	e.Helper()
	reader, err := os.Open(e.path(id, "x86_64", "metal.raw"))
	if err != nil {
		e.Fatal(err)
	}
	defer reader.Close() //nolint:errcheck // read only
	before := e.meta(id)
	e.cosafs("compress", "--fast")
	after := e.meta(id)
	for kind, im := range after.Images {
		was := before.Images[kind]
		if kind != "ostree" && (im.Path != was.Path+".gz" || im.UncompressedSHA256 != was.SHA256) || kind == "ostree" && im != was {
			e.Errorf("%s: recorded %+v, before %+v", kind, im, was)
		}
	}
	if got, err := sumOf(reader); err != nil || got != strings.Fields(metal)[0] {
		e.Errorf("who reads on gets %s, %v", got, err)
	}
	if got := e.sh("sh", "-c", "sha256sum < "+e.path(id, "x86_64", "metal.raw")); got != metal {
		e.Errorf("compressed, it reads as %s", got)
	}
	if got := e.sh("sh", "-c", "gzip -dc "+e.path("next", "x86_64", "metal.raw.gz")+" | sha256sum"); got != metal {
		e.Errorf("the recorded file holds %s", got)
	}
	e.cosafs("decompress")
	if now := e.meta(id); fmt.Sprint(now) != fmt.Sprint(before) {
		e.Errorf("recorded %+v, before %+v", now, before)
	}
}

// compress and decompress are killed at random moments. Each time what is recorded
// is there with its digest, beside nothing else once the next process looked.
func TestKilledCompressLosesNothing(t *testing.T) {
	t.Parallel()
	buildProgram(t)
	work := t.TempDir()
	e := &env{TB: t, dir: work, work: work, environ: append(os.Environ(), "XDG_RUNTIME_DIR="+t.TempDir())}
	image := make([]byte, 24<<20)
	_, _ = rand.NewChaCha8([32]byte{5}).Read(image[:8<<20]) // never fails
	e.plainBuild(image)
	r := rand.New(rand.NewPCG(5, 6))
	for round := range 16 {
		command := []string{"compress", "--fast"}
		if round%3 == 2 {
			command = []string{"decompress"}
		}
		e.killed(time.Duration(r.IntN(int(400*time.Millisecond))), command...)
		e.cosafs("list") // cleans up
		e.imageIsThere()
	}
	e.cosafs("decompress")
	if got, err := os.ReadFile(filepath.Join(work, "builds", "1", "x86_64", "tiny-1-metal.x86_64.raw")); err != nil || !bytes.Equal(got, image) {
		t.Errorf("in the end it is another image: %v", err)
	}
	e.nothingLeft()
}

// killed runs the program and kills it after a time, if it hasn't ended.
func (e *env) killed(after time.Duration, args ...string) {
	e.Helper()
	ctx, cancel := context.WithTimeout(e.Context(), after)
	defer cancel()
	// Its error is that it was killed, or was not.
	_ = e.commandContext(ctx, shared.cosafs, append([]string{"--workdir", e.work, "--quiet"}, args...)...).Run()
}

// plainBuild writes a build with one image.
func (e *env) plainBuild(image []byte) {
	e.Helper()
	dir := filepath.Join(e.work, "builds", "1", "x86_64")
	e.mkdir(dir, filepath.Join(e.work, "src", "config"), filepath.Join(e.work, "tmp"), filepath.Join(e.work, "cache"))
	for path, content := range map[string][]byte{
		filepath.Join(e.work, "src", "config", "manifest.yaml"): []byte("ref: tiny\n"),
		filepath.Join(e.work, "builds", "builds.json"):          []byte(`{"schema-version": "1.0.0", "builds": [{"id": "1", "arches": ["x86_64"]}], "timestamp": "2025-01-02T03:04:05Z"}`),
		filepath.Join(dir, "tiny-1-metal.x86_64.raw"):           image,
		filepath.Join(dir, "meta.json"): fmt.Appendf(nil, `{"buildid": "1", "name": "tiny", "ostree-commit": "%064d", "ostree-version": "1",
			"ostree-timestamp": "2025-01-02T03:00:00Z", "coreos-assembler.build-timestamp": "2025-01-02T03:04:00Z", "coreos-assembler.image-genver": 0,
			"images": {"ostree": {"path": "tiny-1-ostree.x86_64.tar", "sha256": "%064d", "size": 1, "skip-compression": true},
			"metal": {"path": "tiny-1-metal.x86_64.raw", "sha256": "%x", "size": %d}}}`, 1, 2, sha256.Sum256(image), len(image)),
	} {
		if err := os.WriteFile(path, content, 0o644); err != nil {
			e.Fatal(err)
		}
	}
}

// imageIsThere checks the only image of the build against its record.
func (e *env) imageIsThere() {
	e.Helper()
	dir := filepath.Join(e.work, "builds", "1", "x86_64")
	im := e.meta("1").Images["metal"]
	b, err := os.ReadFile(filepath.Join(dir, im.Path))
	if err != nil {
		e.Fatal(err)
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != im.SHA256 || int64(len(b)) != im.Size {
		e.Fatalf("%s has %d bytes with sha256 %x; recorded %+v", im.Path, len(b), sum, im)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*metal*"))
	if err != nil || len(files) != 1 {
		e.Fatalf("beside it: %v, %v", files, err)
	}
}
