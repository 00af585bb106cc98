package compose

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"cosafs/materialize"
)

// commitType is the GVariant type of a commit object: metadata, parent,
// related, subject, body, timestamp, root dirtree, root dirmeta (libostree,
// ostree-core.h: OSTREE_COMMIT_GVARIANT_STRING).
const commitType = "(a{sv}aya(say)sstayay)"

// A CommitObject is what a commit's own object tells.
type CommitObject struct {
	Raw             []byte // cosa's ostree-commit-object
	Metadata        map[string]any
	Parent          string // "" if none
	Timestamp       time.Time
	ContentChecksum string // of the tree alone: equal for equal contents

	root subdir
}

// commitPath is where a repository keeps a commit object, in every mode.
func commitPath(repo, commit string) string {
	return filepath.Join(repo, "objects", commit[:2], commit[2:]+".commit")
}

// ReadCommit reads a commit object of a repository and verifies its checksum.
// A commit that is not there is fs.ErrNotExist, a damaged one
// [materialize.ErrCorrupt].
func ReadCommit(repo, commit string) (*CommitObject, error) {
	if !commitID.MatchString(commit) {
		return nil, fmt.Errorf("read commit %q: %w", commit, fs.ErrInvalid)
	}
	raw, err := os.ReadFile(commitPath(repo, commit))
	if err != nil {
		return nil, fmt.Errorf("read commit: %w", err)
	}
	if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != commit {
		return nil, fmt.Errorf("read commit %s: %w", commit, materialize.ErrCorrupt)
	}
	c, err := ParseCommit(raw)
	if err != nil {
		return nil, fmt.Errorf("read commit %s: %w", commit, err)
	}
	return c, nil
}

// ParseCommit parses the bytes of a commit object.
func ParseCommit(raw []byte) (*CommitObject, error) {
	v, err := decodeVariant(commitType, raw)
	if err != nil {
		return nil, err
	}
	fields, ok := v.([]any)
	if !ok || len(fields) != 8 {
		return nil, errVariant
	}
	c := &CommitObject{Raw: raw}
	metadata, okMeta := fields[0].(map[string]any)
	parent, okParent := fields[1].([]byte)
	timestamp, okTime := fields[5].(uint64)
	tree, okTree := fields[6].([]byte)
	meta, okDirmeta := fields[7].([]byte)
	if !okMeta || !okParent || !okTime || !okTree || !okDirmeta || len(tree) != sha256.Size || len(meta) != sha256.Size {
		return nil, errVariant
	}
	c.Metadata, c.Parent = metadata, hex.EncodeToString(parent)
	c.root = subdir{hex.EncodeToString(tree), hex.EncodeToString(meta)}
	// Integers of commit objects are big-endian whatever the machine.
	c.Timestamp = time.Unix(int64(swap(timestamp)), 0).UTC()
	sum := sha256.Sum256(slices.Concat(tree, meta)) // ostree_commit_get_content_checksum
	c.ContentChecksum = hex.EncodeToString(sum[:])
	return c, nil
}

// swap turns a number that was read as little-endian into what it is big-endian.
func swap(v uint64) uint64 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	return binary.BigEndian.Uint64(b[:])
}

// Text gives a metadata value that is a string, "" if there is none.
func (c *CommitObject) Text(key string) string {
	s, ok := c.Metadata[key].(string)
	if !ok {
		return ""
	}
	return s
}

// Packages gives rpmostree.rpmdb.pkglist; nil where the commit has none.
func (c *CommitObject) Packages() ([]materialize.Package, error) {
	list, ok := c.Metadata["rpmostree.rpmdb.pkglist"].([]any)
	if !ok {
		return nil, nil
	}
	var out []materialize.Package
	for _, item := range list {
		fields, ok := item.([]any)
		if !ok || len(fields) != 5 {
			return nil, errVariant
		}
		var text [5]string
		for i, f := range fields {
			if text[i], ok = f.(string); !ok {
				return nil, errVariant
			}
		}
		out = append(out, materialize.Package{
			Name: text[0], Epoch: text[1], Version: text[2], Release: text[3], Arch: text[4],
		})
	}
	return out, nil
}

// CommitMeta gives commitmeta.json as cosa writes it: the commit's metadata as
// a JSON object with sorted keys.
func (c *CommitObject) CommitMeta() ([]byte, error) {
	b, err := json.MarshalIndent(jsonValue(c.Metadata), "", "    ")
	if err != nil {
		return nil, fmt.Errorf("write commit metadata: %w", errors.Join(fs.ErrInvalid, err))
	}
	return append(b, '\n'), nil
}

// jsonValue turns bytes into numbers, as json-glib does: a JSON string can't
// hold any byte.
func jsonValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			out[k] = jsonValue(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = jsonValue(e)
		}
		return out
	case []byte:
		out := make([]int, len(v))
		for i, b := range v {
			out[i] = int(b)
		}
		return out
	default:
		return v
	}
}
