package index

import "slices"

// MergeLists gives one list for the union of several build directories. The first
// has precedence: its order, its unknown keys, its entries stay. What later lists
// have beyond it is added:
//
//   - Builds, each before the next older one of its list that the result has, and
//     last where there is none; so every list's order holds, unless two contradict.
//   - Architectures of builds that are listed already.
//   - Tags of other names, and tombstones of builds that no list has.
//
// The timestamp is the latest. The lists stay as they are. A result of legacy
// lists alone is a legacy one; no lists give an empty one.
func MergeLists(lists ...*Builds) *Builds {
	if len(lists) == 0 {
		return NewBuilds()
	}
	m := &Builds{doc: lists[0].doc.clone(), legacy: lists[0].legacy}
	for _, b := range lists[1:] {
		if m.legacy && !b.legacy {
			m.modernise()
		}
		m.decode()
		m.addBuilds(b)
		m.addTags(b)
		if b.Timestamp().After(m.Timestamp()) {
			m.Bump(b.Timestamp())
		}
	}
	m.decode()
	for _, b := range lists[1:] {
		m.addTombstones(b)
	}
	return m
}

// modernise gives a legacy list the form that has room for architectures.
func (b *Builds) modernise() {
	b.legacy = false
	b.doc.put("schema-version", text("1.0.0"))
	items := slices.Clone(b.doc.root.items("builds"))
	for i, v := range items {
		items[i] = modern(v)
	}
	b.setItems("builds", items)
}

// modern gives an entry in the form of schema 1.0.0; of a legacy one no
// architecture is known.
func modern(v value) value {
	id, ok := v.(text)
	if !ok {
		return v
	}
	entry := newObject()
	entry.put("id", id)
	entry.put("arches", &array{})
	return entry
}

// addBuilds adds what other lists and b doesn't. It goes through other from its
// oldest build, so that it knows which one comes next.
func (b *Builds) addBuilds(other *Builds) {
	listed := make(map[BuildID]*object, len(b.entries))
	for _, v := range b.doc.root.items("builds") {
		o, _ := v.(*object) // legacy entries have no room for architectures
		if _, ok := listed[idOf(v)]; !ok {
			listed[idOf(v)] = o
		}
	}
	before := make(map[BuildID][]value) // by the build that follows, in reverse; "" for none
	var next BuildID
	for _, v := range slices.Backward(validItems(other.doc.root.items("builds"))) {
		id := idOf(v)
		if entry, ok := listed[id]; ok {
			b.addArches(entry, v)
			next = id
			continue
		}
		if !b.legacy {
			v = modern(v)
		}
		before[next] = append(before[next], clone(v))
	}
	if len(before) > 0 {
		b.setItems("builds", weave(b.doc.root.items("builds"), before))
	}
}

// validItems gives the elements of a list that [decodeEntries] makes entries of.
func validItems(items []value) []value {
	seen := make(map[BuildID]bool, len(items))
	return slices.DeleteFunc(slices.Clone(items), func(v value) bool {
		e, err := decodeEntry(v)
		bad := err != nil || seen[e.ID]
		seen[e.ID] = true
		return bad
	})
}

// weave puts each group of values before the item it belongs to.
func weave(items []value, before map[BuildID][]value) []value {
	var all []value
	for _, v := range items {
		id := idOf(v)
		if group := before[id]; id != "" && group != nil {
			slices.Reverse(group)
			all = append(all, group...)
			delete(before, id) // an id may be listed twice
		}
		all = append(all, v)
	}
	last := before[""]
	slices.Reverse(last)
	return append(all, last...)
}

// addArches adds the architectures that an entry lacks and another one has.
func (b *Builds) addArches(entry *object, other value) {
	o, ok := other.(*object)
	if entry == nil || !ok {
		return
	}
	all := slices.Clone(entry.items("arches"))
	for _, arch := range o.strings("arches") {
		if !slices.Contains(all, value(text(arch))) {
			all = append(all, text(arch))
		}
	}
	if len(all) > len(entry.items("arches")) {
		b.doc.touch(entry.put("arches", &array{items: all}))
	}
}

// addTags adds the tags whose names b doesn't have.
func (b *Builds) addTags(other *Builds) {
	for _, tag := range other.Tags() {
		if b.findTag(tag.Name) == nil {
			b.setItems("tags", append(slices.Clone(b.doc.root.items("tags")), clone(other.findTag(tag.Name))))
		}
	}
}

// addTombstones adds those of builds that are in none of b's lists.
func (b *Builds) addTombstones(other *Builds) {
	known := make(map[BuildID]bool)
	for _, e := range slices.Concat(b.entries, b.Tombstones()) {
		known[e.ID] = true
	}
	all := slices.Clone(b.doc.root.items("tombstone-builds"))
	for _, v := range validItems(other.doc.root.items("tombstone-builds")) {
		if !known[idOf(v)] {
			all = append(all, clone(v))
		}
	}
	if len(all) > len(b.doc.root.items("tombstone-builds")) {
		b.setItems("tombstone-builds", all)
	}
}
