package index

import (
	"slices"
)

// MergeLists gives one list of the builds of all, for a tree that shows several
// places. The first list has precedence: it keeps its order, its tags and every
// key that is not of this package. A build that only a later list has stands
// before the next older one of that list that the others have, too; builds
// without one stand at the end. Architectures are united. A single list is
// returned as it is; the others are not changed.
func MergeLists(lists ...*Builds) *Builds {
	switch len(lists) {
	case 0:
		return NewBuilds()
	case 1:
		return lists[0]
	}
	all := lists[0].clone()
	for _, l := range lists[1:] {
		all.add(l)
	}
	return all
}

func (b *Builds) clone() *Builds {
	return &Builds{doc: b.doc.clone(), legacy: b.legacy, entries: b.entries, problems: b.problems}
}

// add adds what other has.
func (b *Builds) add(other *Builds) {
	if b.legacy && !other.legacy {
		b.doc.put("schema-version", text("1.0.0")) // bare ids are read in this form, too
		b.legacy = false
	}
	before := b.place(other)
	var items []value
	for _, item := range b.doc.root.items("builds") {
		items = append(append(items, before[idOf(item)]...), item)
	}
	b.doc.put("builds", &array{items: append(items, before[""]...)})
	b.addTags(other)
	if t := other.Timestamp(); t.After(b.Timestamp()) {
		b.Bump(t)
	}
	b.changed()
}

// place says which of other's builds stand before which of b's, "" for the end,
// and unites the architectures of those that both have.
func (b *Builds) place(other *Builds) map[BuildID][]value {
	at := make(map[BuildID]*object)
	for _, item := range b.doc.root.items("builds") {
		o, _ := item.(*object)
		if _, ok := at[idOf(item)]; !ok {
			at[idOf(item)] = o
		}
	}
	before := make(map[BuildID][]value)
	var older BuildID // the next older build that both have
	for _, item := range slices.Backward(other.doc.root.items("builds")) {
		id := idOf(item)
		entry, ok := at[id]
		if ok {
			older = id
			uniteArches(entry, item)
			continue
		}
		at[id] = nil // once only
		before[older] = slices.Insert(before[older], 0, clone(item))
	}
	return before
}

// uniteArches adds the architectures of an entry of another list.
func uniteArches(entry *object, item value) {
	other, ok := item.(*object)
	if !ok || entry == nil {
		return
	}
	arches := slices.Clone(entry.items("arches"))
	for _, arch := range other.items("arches") {
		if !slices.ContainsFunc(arches, func(v value) bool { return equal(v, arch) }) {
			arches = append(arches, arch)
		}
	}
	entry.put("arches", &array{items: arches})
}

// addTags adds the tags whose names b doesn't have.
func (b *Builds) addTags(other *Builds) {
	tags := slices.Clone(b.doc.root.items("tags"))
	for _, tag := range other.doc.root.items("tags") {
		if b.findTag(tagName(tag)) == nil {
			tags = append(tags, clone(tag))
		}
	}
	if len(tags) > 0 {
		b.doc.put("tags", &array{items: tags})
	}
}

// InsertLike is [Builds.Insert] for a list that others add to as well: a new build
// takes the place that it has in local. It stands before the first build of this
// list that is older in local, else after the last one that is newer there, else
// first. So builds that are published in any order end up in cosa's: newest first.
func (b *Builds) InsertLike(id BuildID, arch Arch, local *Builds) error {
	known := b.Has(id)
	if err := b.Insert(id, arch); err != nil || known {
		return err
	}
	items := b.doc.root.items("builds")
	entry, rest := items[0], items[1:]
	b.doc.put("builds", &array{items: slices.Insert(slices.Clone(rest), placeLike(rest, id, local), entry)})
	b.changed()
	return nil
}

// placeLike is where among items a build stands that has its place in local.
func placeLike(items []value, id BuildID, local *Builds) int {
	rank := make(map[BuildID]int, len(local.entries)) // 0 is the newest
	for i, e := range local.entries {
		rank[e.ID] = i
	}
	mine, ok := rank[id]
	if !ok {
		return 0
	}
	after := 0
	for i, item := range items {
		switch r, ok := rank[idOf(item)]; {
		case ok && r > mine:
			return i
		case ok && r < mine:
			after = i + 1
		}
	}
	return after
}
