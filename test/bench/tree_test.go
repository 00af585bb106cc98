package bench

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const arch = "x86_64"

// A shape says what builds to make by hand: as many as are said, each with an
// image of so many bytes.
type shape struct{ builds, size int }

// mounted gives a build directory with builds of the shape, mounted until the
// benchmark ends.
func mounted(b *testing.B, s shape) cosafs {
	b.Helper()
	c := newCosafs(b)
	c.cosafs("init", config(c))
	ids := []string{}
	image := make([]byte, s.size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(image) // it never fails
	for i := range s.builds {
		ids = append(ids, fmt.Sprintf("1.%d", i))
		c.addBuild(ids[i], image)
	}
	c.list(ids)
	c.cosafs("mount", c.mnt)
	c.pid = c.daemonPID()
	b.Cleanup(func() { c.cosafs("umount", c.mnt); c.remove() })
	return c
}

// addBuild writes a build's directory.
func (c cosafs) addBuild(id string, image []byte) {
	c.Helper()
	dir := filepath.Join(c.work, "builds", id, arch)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		c.Fatal(err)
	}
	digest := strings.Repeat("0", 64) // nothing of a recorded file on this machine is checked at reading
	images := map[string]any{}
	for kind, body := range map[string][]byte{"ostree": []byte("tar"), "qemu": image} {
		name := imageName(id, kind)
		c.write(filepath.Join(dir, name), body)
		images[kind] = map[string]any{"path": name, "sha256": digest, "size": len(body)}
	}
	c.writeJSON(filepath.Join(dir, "meta.json"), map[string]any{
		"buildid": id, "name": "tinyos", "ostree-commit": digest, "ostree-version": id, "ostree-timestamp": "2025-01-01T00:00:00Z",
		"coreos-assembler.basearch": arch, "coreos-assembler.build-timestamp": "2025-01-01T00:00:00Z",
		"ostree-content-checksum": digest, "rpm-ostree-inputhash": digest, "coreos-assembler.image-genver": 0,
		"coreos-assembler.image-config-checksum": digest, "coreos-assembler.image-input-checksum": digest,
		"coreos-assembler.container-config-git": map[string]string{"commit": "01234567", "origin": "https://example.org/config"},
		"images":                                images,
	})
}

func imageName(id, kind string) string {
	suffix := map[string]string{"ostree": "tar", "qemu": "qcow2"}[kind]
	return fmt.Sprintf("tinyos-%s-%s.%s.%s", id, kind, arch, suffix)
}

// list writes builds.json.
func (c cosafs) list(ids []string) {
	c.Helper()
	builds := []any{}
	for _, id := range ids {
		builds = append(builds, map[string]any{"id": id, "arches": []string{arch}})
	}
	c.writeJSON(filepath.Join(c.work, "builds", "builds.json"), map[string]any{
		"schema-version": "1.0.0", "timestamp": "2025-01-01T00:00:00Z", "builds": builds,
	})
}

func (c cosafs) writeJSON(name string, v any) {
	c.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		c.Fatal(err)
	}
	c.write(name, body)
}

func (c cosafs) write(name string, body []byte) {
	c.Helper()
	if err := os.WriteFile(name, body, 0o644); err != nil {
		c.Fatal(err)
	}
}
