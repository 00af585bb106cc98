package index

import (
	"fmt"
	"io/fs"
	"slices"
)

// Tombstone moves builds from the list to the tombstones, where cosa's remote
// garbage collection keeps those that it deleted whole (since 2024-08). It says
// how many were listed. Newer tombstones stand first.
func (b *Builds) Tombstone(ids ...BuildID) int {
	var dead []value
	for _, item := range b.doc.root.items("builds") {
		if slices.Contains(ids, idOf(item)) {
			dead = append(dead, item)
		}
	}
	if len(dead) == 0 {
		return 0
	}
	b.doc.put("tombstone-builds", &array{items: append(dead, b.doc.root.items("tombstone-builds")...)})
	return b.Remove(ids...)
}

// SetCleanup records what was deleted of a listed build, as cosa does since
// 2024-08-29; what is recorded already stays. A build that isn't listed is
// fs.ErrNotExist.
func (b *Builds) SetCleanup(id BuildID, c Cleanup) error {
	entry := b.find(id)
	if entry == nil {
		return fmt.Errorf("record what was deleted of build %s: %w", id, fs.ErrNotExist)
	}
	record, ok := entry.values["policy-cleanup"].(*object)
	if !ok {
		record = newObject()
	}
	for _, what := range []struct {
		key string
		set bool
	}{{"cloud-uploads", c.CloudUploads}, {"containers", c.Containers}, {"build", c.Build}} {
		if what.set {
			record.put(what.key, literal("true"))
		}
	}
	if c.Images {
		putImages(record, c.ImagesKept)
	}
	entry.set("policy-cleanup", record)
	b.changed()
	return nil
}

// putImages records which images were kept or, if none were, that all are gone:
// cosa writes the one instead of the other.
func putImages(record *object, kept []Kind) {
	record.put("images", nil)
	record.put("images-kept", nil)
	if len(kept) == 0 {
		record.put("images", literal("true"))
		return
	}
	list := &array{}
	for _, kind := range kept {
		list.items = append(list.items, text(kind))
	}
	record.put("images-kept", list)
}
