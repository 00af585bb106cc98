package fetch

import (
	"fmt"
	"slices"

	"cosafs/backend"
	"cosafs/index"
)

// An extra is what a list has and another one lacks: a build for one
// architecture, or a tag.
type extra struct {
	id   index.BuildID
	arch index.Arch
	tag  index.Tag
}

// String names it for a person.
func (x extra) String() string {
	if x.tag.Name != "" {
		return "the tag " + x.tag.Name
	}
	return fmt.Sprintf("%s for %s", x.id, x.arch)
}

// extras gives what only the local list has, in its order.
func extras(local, remote *index.Builds) []extra {
	var all []extra
	for _, e := range local.Entries() {
		there := remote.Arches(e.ID)
		for _, a := range e.Arches {
			if !slices.Contains(there, a) {
				all = append(all, extra{id: e.ID, arch: a})
			}
		}
	}
	for _, t := range local.Tags() {
		named := func(r index.Tag) bool { return r.Name == t.Name }
		if !slices.ContainsFunc(remote.Tags(), named) {
			all = append(all, extra{tag: t})
		}
	}
	return all
}

// noteDropped tells of builds that the store no longer lists, but whose
// directories are here. cosa says nothing.
func (f *fetcher) noteDropped(all []extra) {
	for _, x := range all {
		if x.tag.Name == "" && isDir(f.path(backend.Key(x.id).Join(string(x.arch)))) {
			f.note("%s is no longer listed by %s; its directory stays here, unlisted", x, f.URL)
		}
	}
}
