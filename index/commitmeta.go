package index

import "fmt"

// CommitMeta is a commitmeta.json: the metadata of a build's OSTree commit.
type CommitMeta struct {
	doc      document
	packages []Package
}

// A Package is one RPM of a commit.
type Package struct {
	Name, Epoch, Version, Release, Arch string // Epoch is a decimal, "0" if none
}

// ParseCommitMeta reads a commitmeta.json. Errors: [ErrSyntax], and [ErrSchema]
// where the document is no object or its package list can't be read.
func ParseCommitMeta(data []byte) (*CommitMeta, error) {
	doc, err := parseDocument("commitmeta.json", data)
	if err != nil {
		return nil, err
	}
	c := &CommitMeta{doc: doc}
	for i, row := range doc.root.items("rpmostree.rpmdb.pkglist") {
		p, ok := decodePackage(row)
		if !ok {
			return nil, fmt.Errorf("commitmeta.json: package %d: %w: not [name, epoch, version, release, arch]", i, ErrSchema)
		}
		c.packages = append(c.packages, p)
	}
	return c, nil
}

// decodePackage reads a row of five; the epoch may also be a number or null.
func decodePackage(row value) (Package, bool) {
	list, ok := row.(*array)
	if !ok || len(list.items) != 5 {
		return Package{}, false
	}
	var fields [5]string
	for i, item := range list.items {
		switch item := item.(type) {
		case text:
			fields[i] = string(item)
		case literal:
			fields[i] = string(item)
			ok = ok && i == 1
		default:
			ok = false
		}
	}
	if fields[1] == "null" || fields[1] == "" {
		fields[1] = "0"
	}
	return Package{fields[0], fields[1], fields[2], fields[3], fields[4]}, ok
}

// Bytes gives what was parsed.
func (c *CommitMeta) Bytes() []byte { return c.doc.bytes() }

// Version gives the commit's version, "" if missing.
func (c *CommitMeta) Version() string { return c.doc.root.str("version") }

// InputHash gives rpm-ostree's hash of what the commit was made from, "" if missing.
func (c *CommitMeta) InputHash() string { return c.doc.root.str("rpmostree.inputhash") }

// Packages gives the commit's packages in order; nil where none are recorded.
// Callers must not change the list.
func (c *CommitMeta) Packages() []Package { return c.packages }
