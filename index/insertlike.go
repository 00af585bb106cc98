package index

import "slices"

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
	b.setItems("builds", slices.Insert(slices.Clone(rest), placeLike(rest, id, local), entry))
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
