package index

import (
	"encoding/json"
	"fmt"
	"time"
)

// Keys of meta.json that cosa puts its own name before.
const (
	keyArch            = "coreos-assembler.basearch"
	keyBuildTime       = "coreos-assembler.build-timestamp"
	keyConfigGit       = "coreos-assembler.container-config-git"
	keyDelayedMerge    = "coreos-assembler.delayed-meta-merge"
	keyGenVer          = "coreos-assembler.image-genver"
	keyImageChecksum   = "coreos-assembler.image-config-checksum"
	keyInputChecksum   = "coreos-assembler.image-input-checksum"
	keyStamp           = "coreos-assembler.meta-stamp"
	keyContentChecksum = "ostree-content-checksum"
	keyCommit          = "ostree-commit"
	keyImages          = "images"
)

// Meta is a meta.json: what cosa knows of one build for one architecture.
type Meta struct{ doc document }

// NewMeta gives an empty document; fill it with [Meta.Set] and [Meta.SetImage].
func NewMeta() *Meta { return &Meta{doc: document{root: newObject()}} }

// ParseMeta reads a meta.json of any age. Errors: [ErrSyntax], and [ErrSchema]
// where the document is no object. Nothing else is checked, see [Meta.Validate].
func ParseMeta(data []byte) (*Meta, error) {
	doc, err := parseDocument("meta.json", data)
	if err != nil {
		return nil, err
	}
	return &Meta{doc: doc}, nil
}

// Bytes gives the document: byte for byte what was parsed, as long as nothing
// changed, and cosa's serialisation afterwards.
func (m *Meta) Bytes() []byte { return m.doc.bytes() }

// Clone gives a copy that can be changed on its own.
func (m *Meta) Clone() *Meta { return &Meta{doc: m.doc.clone()} }

// BuildID gives buildid, "" if missing. It is not checked, see [ValidName].
func (m *Meta) BuildID() BuildID { return BuildID(m.doc.root.str("buildid")) }

// Arch gives the architecture, "" if missing, as in some builds of 2018.
func (m *Meta) Arch() Arch { return Arch(m.doc.root.str(keyArch)) }

// Name gives the name of the OS, such as fedora-coreos.
func (m *Meta) Name() string { return m.doc.root.str("name") }

// Summary gives the one line that describes the OS.
func (m *Meta) Summary() string { return m.doc.root.str("summary") }

// Ref gives the ref that the commit was made on, "" for none.
func (m *Meta) Ref() string { return m.doc.root.str("ref") }

// Version gives the version recorded in the commit.
func (m *Meta) Version() string { return m.doc.root.str("ostree-version") }

// Commit gives the checksum of the OSTree commit.
func (m *Meta) Commit() string { return m.doc.root.str(keyCommit) }

// ContentChecksum gives the checksum of the commit's content without metadata.
func (m *Meta) ContentChecksum() string { return m.doc.root.str(keyContentChecksum) }

// InputHash gives rpm-ostree's hash of what the commit was made from.
func (m *Meta) InputHash() string { return m.doc.root.str("rpm-ostree-inputhash") }

// ImageConfigChecksum gives the sha256 of the image configuration.
func (m *Meta) ImageConfigChecksum() string { return m.doc.root.str(keyImageChecksum) }

// ImageInputChecksum gives the sha256 of commit and image configuration.
func (m *Meta) ImageInputChecksum() string { return m.doc.root.str(keyInputChecksum) }

// GenVer gives the image generation, normally 0; until 2019 it was a string.
func (m *Meta) GenVer() int {
	n, _ := m.doc.root.integer(keyGenVer)
	return int(n)
}

// ConfigGit gives where the configuration was taken from; false where it was
// not in git, or in builds from before 2019.
func (m *Meta) ConfigGit() (Git, bool) {
	o, ok := m.doc.root.values[keyConfigGit].(*object)
	if !ok {
		return Git{}, false
	}
	dirty := o.str("dirty") // a string in cosa's schema
	return Git{Commit: o.str("commit"), Origin: o.str("origin"), Branch: o.str("branch"), Dirty: dirty != "" && dirty != "false"}, true
}

// A Git is a state of a git work tree.
type Git struct {
	Commit, Origin string
	Branch         string // "" if not recorded
	Dirty          bool   // there were changes that no commit holds
}

// String gives it as cosa list prints it: branch (commit) (dirty).
func (g Git) String() string {
	text := g.Commit
	if g.Branch != "" {
		text = fmt.Sprintf("%s (%s)", g.Branch, g.Commit[:min(12, len(g.Commit))])
	}
	if g.Dirty {
		text += " (dirty)"
	}
	return text
}

// DelayedMerge says that steps write meta.<artifact>.json files of their own,
// which are folded into this one later.
func (m *Meta) DelayedMerge() bool { return m.doc.root.flag(keyDelayedMerge) }

// Timestamp gives when the commit was made, zero if missing.
func (m *Meta) Timestamp() time.Time { return m.doc.root.time("ostree-timestamp") }

// BuildTime gives when the build was made, by which cosa sorts builds. Where it
// is missing it is the commit's time.
func (m *Meta) BuildTime() time.Time {
	if t := m.doc.root.time(keyBuildTime); !t.IsZero() {
		return t
	}
	return m.Timestamp()
}

// Stamp gives when cosa last wrote the document, in nanoseconds since 1970. The
// number is exact, although it is beyond what a float64 holds.
func (m *Meta) Stamp() (ns int64, ok bool) { return m.doc.root.integer(keyStamp) }

// SetStamp sets the stamp; writers do so with every write.
func (m *Meta) SetStamp(ns int64) { m.doc.put(keyStamp, number(ns)) }

// SeedStamp gives a document without stamp the one that cosa gives it when it
// loads it: the file's modification time, in seconds for all the key's promise.
func (m *Meta) SeedStamp(modTime time.Time) {
	if _, ok := m.Stamp(); !ok {
		m.SetStamp(modTime.Unix())
	}
}

// Get gives the value of a top-level key as JSON on one line.
func (m *Meta) Get(key string) (json.RawMessage, bool) {
	v, ok := m.doc.root.values[key]
	if !ok {
		return nil, false
	}
	return appendValue(nil, v, compact), true
}

// Set sets a top-level key to what [json.Marshal] makes of v; a new key goes
// last. It fails where v can't be marshalled.
func (m *Meta) Set(key string, v any) error {
	val, err := toValue(v, 1)
	if err != nil {
		return fmt.Errorf("meta.json: set %s: %w", key, err)
	}
	m.doc.put(key, val)
	return nil
}

// Delete takes a top-level key away. Merging brings it back where the other
// side has it, see [Merge].
func (m *Meta) Delete(key string) { m.doc.put(key, nil) }
