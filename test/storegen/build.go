package storegen

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"cosafs/index"
)

// A content names the bytes that some artifacts share.
type content struct {
	kind index.Kind
	arch index.Arch
	n    int // 0 to Contents
}

// makeContents writes each content once, into the oldest build that has it, and
// gives their digests. The builds that come after it link those files.
func (t *Tree) makeContents() (map[content]string, error) {
	digests := map[content]string{}
	for n := range min(t.Contents, len(t.IDs)) {
		for _, arch := range t.Arches {
			if err := os.MkdirAll(t.dir(n, arch), 0o755); err != nil {
				return nil, err
			}
			for _, kind := range t.Kinds {
				c := content{kind, arch, n}
				digest, err := t.writeContent(c, t.File(n, arch, kind))
				if err != nil {
					return nil, err
				}
				digests[c] = digest
			}
		}
	}
	return digests, nil
}

func (t *Tree) writeContent(c content, path string) (string, error) {
	data := Pattern(fmt.Sprint(c), t.Size)
	return fmt.Sprintf("%x", sha256.Sum256(data)), t.write(path, data)
}

// addBuild writes what is left of build number n.
func (t *Tree) addBuild(n int, digests map[content]string) error {
	for _, arch := range t.Arches {
		if err := os.MkdirAll(t.dir(n, arch), 0o755); err != nil {
			return err
		}
		for _, kind := range t.Kinds {
			if n < t.Contents {
				continue // makeContents did
			}
			if err := os.Link(t.File(n%t.Contents, arch, kind), t.File(n, arch, kind)); err != nil {
				return err
			}
		}
		if err := t.writeMeta(n, arch, digests); err != nil {
			return err
		}
		if err := t.writeCommitMeta(n, arch); err != nil {
			return err
		}
	}
	return nil
}

// Record changes what meta.json of build number n says of an artifact, after its
// file was replaced.
func (t *Tree) Record(n int, arch index.Arch, kind index.Kind, sha256 string, size int64) error {
	path := filepath.Join(t.dir(n, arch), "meta.json")
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	meta, err := index.ParseMeta(data)
	if err == nil {
		err = meta.SetImage(kind, index.Image{Path: filepath.Base(t.File(n, arch, kind)), SHA256: sha256, Size: size, UncompressedSize: -1})
	}
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return t.replace(path, meta.Bytes())
}

// writeMeta writes a meta.json that passes cosa's schema.
func (t *Tree) writeMeta(n int, arch index.Arch, digests map[content]string) error {
	images := map[string]any{}
	for _, kind := range t.Kinds {
		images[string(kind)] = map[string]any{
			"path": filepath.Base(t.File(n, arch, kind)), "sha256": digests[content{kind, arch, n % t.Contents}], "size": t.Size,
		}
	}
	commit := Commit(n, arch)
	data, err := json.MarshalIndent(map[string]any{
		"buildid": t.IDs[n], "name": Name, "ref": "example/" + arch + "/dev", "summary": "An example", "images": images,
		"ostree-commit": commit, "ostree-version": t.IDs[n], "ostree-timestamp": stamp(Time(n)),
		"ostree-content-checksum": commit, "rpm-ostree-inputhash": commit,
		"coreos-assembler.basearch": arch, "coreos-assembler.build-timestamp": stamp(Time(n)),
		"coreos-assembler.meta-stamp": Time(n).UnixNano(), "coreos-assembler.image-genver": 0,
		"coreos-assembler.image-config-checksum": commit, "coreos-assembler.image-input-checksum": commit,
		"coreos-assembler.container-config-git": map[string]string{
			"branch": "main", "commit": commit[:40], "dirty": "false", "origin": "https://example.org/config.git"},
	}, "", "    ")
	if err != nil {
		return fmt.Errorf("meta.json: %w", err)
	}
	return t.write(filepath.Join(t.dir(n, arch), "meta.json"), data)
}

// Commit is the OSTree commit of build number n.
func Commit(n int, arch index.Arch) string {
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "commit %d %s", n, arch)))
}
