package index

import (
	"encoding/json"
	"slices"
	"strings"
)

// EVR gives the package's version as RPM writes it: [epoch:]version-release.
func (p Package) EVR() string {
	evr := p.Version + "-" + p.Release
	if p.Epoch == "" || p.Epoch == "0" {
		return evr
	}
	return p.Epoch + ":" + evr
}

// String gives the package's full name: name-[epoch:]version-release.arch.
func (p Package) String() string { return p.Name + "-" + p.EVR() + "." + p.Arch }

// A PackageChange is a package that came, went or changed.
type PackageChange struct {
	Name string
	// Old and New are [epoch:]version-release.arch, "" for not there. Of a package
	// that is installed more than once they are what only one side has, in order,
	// between spaces.
	Old, New string
}

// DiffPackages tells what changed from a to b, by name.
func DiffPackages(a, b []Package) []PackageChange {
	old, now := versions(a), versions(b)
	names := make(map[string]bool, len(now))
	for name := range old {
		names[name] = true
	}
	for name := range now {
		names[name] = true
	}
	var changes []PackageChange
	for name := range names {
		c := PackageChange{Name: name, Old: without(old[name], now[name]), New: without(now[name], old[name])}
		if c.Old != c.New {
			changes = append(changes, c)
		}
	}
	slices.SortFunc(changes, func(a, b PackageChange) int { return strings.Compare(a.Name, b.Name) })
	return changes
}

// versions gives the versions of each name.
func versions(list []Package) map[string][]string {
	all := make(map[string][]string, len(list))
	for _, p := range list {
		all[p.Name] = append(all[p.Name], p.EVR()+"."+p.Arch)
	}
	return all
}

// without gives what a has and b lacks.
func without(a, b []string) string {
	left := slices.DeleteFunc(slices.Clone(a), func(v string) bool { return slices.Contains(b, v) })
	slices.Sort(left)
	return strings.Join(slices.Compact(left), " ")
}

// A ValueChange is a top-level value of meta.json that came, went or changed, as
// JSON on one line; nil for not there.
type ValueChange struct {
	Key      string
	Old, New json.RawMessage
}

// DiffMeta tells which top-level values differ from a to b, but for images: in
// a's order, then what only b has in b's. Spelling and the order of keys are no
// difference.
func DiffMeta(a, b *Meta) []ValueChange {
	keys := slices.Clone(a.doc.root.keys)
	for _, key := range b.doc.root.keys {
		if _, ok := a.doc.root.values[key]; !ok {
			keys = append(keys, key)
		}
	}
	var changes []ValueChange
	for _, key := range keys {
		old, ok := a.doc.root.values[key]
		now, still := b.doc.root.values[key]
		if key == keyImages || ok && still && equal(old, now) {
			continue
		}
		c := ValueChange{Key: key}
		c.Old, _ = a.Get(key)
		c.New, _ = b.Get(key)
		changes = append(changes, c)
	}
	return changes
}
