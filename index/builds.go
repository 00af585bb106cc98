package index

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// Builds is a builds.json: the list of builds, newest first. Two forms exist:
// schema 1.0.0 (since 2019-07), and the legacy one before it, which lists bare
// ids and whose builds have no directory for each architecture.
type Builds struct {
	doc      document
	legacy   bool
	entries  []Entry
	problems []error
}

// NewBuilds gives the list that cosa makes in a fresh directory.
func NewBuilds() *Builds {
	root := newObject()
	root.put("schema-version", text("1.0.0"))
	root.put("builds", &array{})
	return &Builds{doc: document{root: root}}
}

// ParseBuilds reads a builds.json. Errors: [ErrSyntax]; [ErrSchema] where builds
// is no list; [errors.ErrUnsupported] for a major version other than 1, which
// cosa refuses too. Single damaged entries are no error, see [Builds.Problems].
func ParseBuilds(data []byte) (*Builds, error) {
	doc, err := parseDocument("builds.json", data)
	if err != nil {
		return nil, err
	}
	b := &Builds{doc: doc}
	if v, ok := doc.root.values["builds"]; ok && typeName(v) != "array" {
		return nil, fmt.Errorf("builds.json: %w: builds is %s instead of array", ErrSchema, typeName(v))
	}
	version, ok := doc.root.values["schema-version"]
	major, _, _ := strings.Cut(doc.root.str("schema-version"), ".")
	switch {
	case !ok || major == "0":
		b.legacy = true // without the key cosa assumes 0.0.1
	case major != "1":
		return nil, fmt.Errorf("builds.json: schema version %s: %w", canonical(version), errors.ErrUnsupported)
	}
	b.decode()
	return b, nil
}

// decode brings entries and problems up to date with the document.
func (b *Builds) decode() {
	b.entries, b.problems = decodeEntries(b.doc.root.items("builds"))
}

// Bytes gives the document: byte for byte what was parsed, as long as nothing
// changed, and cosa's serialisation afterwards.
func (b *Builds) Bytes() []byte { return b.doc.bytes() }

// Legacy says whether this is the form without architectures.
func (b *Builds) Legacy() bool { return b.legacy }

// Entries gives the builds, newest first. Callers must not change what the
// entries point to.
func (b *Builds) Entries() []Entry { return slices.Clone(b.entries) }

// Problems tells what Entries leaves out and why: names that are no file names
// (wrapping [fs.ErrInvalid]), ids listed twice, and entries of a wrong form
// ([ErrSchema]). They stay in the document.
func (b *Builds) Problems() []error { return slices.Clone(b.problems) }

// Latest gives the newest build, "" in an empty list.
func (b *Builds) Latest() BuildID {
	if len(b.entries) == 0 {
		return ""
	}
	return b.entries[0].ID
}

// LatestFor gives the newest build that has arch, "" for none. A legacy list
// does not tell: there it is the newest build of all.
func (b *Builds) LatestFor(arch Arch) BuildID {
	for _, e := range b.entries {
		if b.legacy || slices.Contains(e.Arches, arch) {
			return e.ID
		}
	}
	return ""
}

// Arches gives the architectures of a build in the order they were added; nil
// where the build is not listed or the list is a legacy one.
func (b *Builds) Arches(id BuildID) []Arch {
	e, _ := b.Entry(id)
	return slices.Clone(e.Arches)
}

// Entry gives the entry of a build, if it is listed.
func (b *Builds) Entry(id BuildID) (Entry, bool) {
	i := slices.IndexFunc(b.entries, func(e Entry) bool { return e.ID == id })
	if i < 0 {
		return Entry{}, false
	}
	return b.entries[i], true
}

// Has says whether a build is listed.
func (b *Builds) Has(id BuildID) bool {
	_, ok := b.Entry(id)
	return ok
}

// Timestamp gives when the list was last bumped, zero if never.
func (b *Builds) Timestamp() time.Time { return b.doc.root.time("timestamp") }

// Bump sets the timestamp, in whole seconds, as cosa does when it adds a build.
func (b *Builds) Bump(now time.Time) { b.doc.put("timestamp", timestamp(now)) }

// Tombstones gives the builds that were wholly deleted from a remote store.
func (b *Builds) Tombstones() []Entry {
	entries, _ := decodeEntries(b.doc.root.items("tombstone-builds"))
	return entries
}

// Dir gives the directory of a build for arch, slash-separated and relative to
// the directory of builds.json. Legacy builds have one for all architectures.
func Dir(b *Builds, id BuildID, arch Arch) string {
	if b.legacy {
		return string(id)
	}
	return string(id) + "/" + string(arch)
}

// checkName refuses what can't be a file name.
func checkName(what, name string) error {
	if !ValidName(name) {
		return fmt.Errorf("%s %q can't be a file name: %w", what, name, fs.ErrInvalid)
	}
	return nil
}
