package index

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// Insert lists a build as cosa does: a new one goes first, another architecture
// of a listed one is added to its entry where that stands. A build that is
// listed with arch is [fs.ErrExist]; a legacy list, which cosa stopped writing
// in 2019, is [errors.ErrUnsupported]. The timestamp stays, see [Builds.Bump].
func (b *Builds) Insert(id BuildID, arch Arch) error {
	if b.legacy {
		return fmt.Errorf("add %s to a builds.json without schema-version: %w", id, errors.ErrUnsupported)
	}
	if err := errors.Join(checkName("build id", string(id)), checkName("architecture", string(arch))); err != nil {
		return err
	}
	entry := b.find(id)
	switch {
	case entry != nil && slices.Contains(entry.strings("arches"), string(arch)):
		return fmt.Errorf("build %s for %s is listed already: %w", id, arch, fs.ErrExist)
	case entry == nil && b.Has(id):
		return fmt.Errorf("builds.json: %w: %s is listed without architectures", ErrSchema, id)
	case entry == nil:
		entry = newObject()
		entry.put("id", text(id))
		b.prepend(entry)
	}
	arches := &array{items: append(slices.Clone(entry.items("arches")), text(arch))}
	entry.put("arches", arches)
	b.changed()
	return nil
}

// Remove takes builds off the list and says how many were on it. The other
// entries stay as they are.
func (b *Builds) Remove(ids ...BuildID) int {
	return b.drop("builds", func(v value) bool { return slices.Contains(ids, idOf(v)) })
}

// RemoveArch takes one architecture off a build, and the build off the list when
// it was the last. It says whether the build was listed with arch.
func (b *Builds) RemoveArch(id BuildID, arch Arch) bool {
	if !slices.Contains(b.Arches(id), arch) {
		return false
	}
	entry := b.find(id)
	left := slices.DeleteFunc(slices.Clone(entry.items("arches")), func(v value) bool { return v == text(arch) })
	if len(left) == 0 {
		return b.Remove(id) > 0
	}
	entry.put("arches", &array{items: left})
	b.changed()
	return true
}

// find gives the first entry for id, nil where there is none.
func (b *Builds) find(id BuildID) *object {
	for _, v := range b.doc.root.items("builds") {
		if o, ok := v.(*object); ok && idOf(v) == id {
			return o
		}
	}
	return nil
}

// idOf gives the build id of an entry of either form.
func idOf(v value) BuildID {
	switch v := v.(type) {
	case text:
		return BuildID(v)
	case *object:
		return BuildID(v.str("id"))
	}
	return ""
}

func (b *Builds) prepend(entry value) {
	b.setItems("builds", append([]value{entry}, b.doc.root.items("builds")...))
}

// setItems replaces the list at key by another one. Lists of ten thousand builds
// are not compared first.
func (b *Builds) setItems(key string, items []value) {
	b.doc.root.set(key, &array{items: items})
	b.doc.touch(true)
}

// drop deletes the elements of the list at key that match, and counts them.
func (b *Builds) drop(key string, match func(value) bool) int {
	items := b.doc.root.items(key)
	left := slices.DeleteFunc(slices.Clone(items), match)
	if len(left) < len(items) {
		b.setItems(key, left)
		b.changed()
	}
	return len(items) - len(left)
}

// changed is called after every change of a list.
func (b *Builds) changed() {
	b.doc.touch(true)
	b.decode()
}
