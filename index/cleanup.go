package index

import (
	"fmt"
	"io/fs"
	"slices"
)

// Tombstone moves builds from the list to the tombstones, where cosa's remote
// garbage collection keeps those that it deleted whole (since 2024-08), and marks
// them as deleted. It says how many were listed. Newer tombstones stand first.
func (b *Builds) Tombstone(ids ...BuildID) int {
	dead := slices.DeleteFunc(validItems(b.doc.root.items("builds")), func(v value) bool { return !slices.Contains(ids, idOf(v)) })
	if len(dead) == 0 {
		return 0
	}
	for i, v := range dead {
		dead[i] = buried(modern(v))
	}
	b.drop("tombstone-builds", func(v value) bool { // of an earlier life
		return slices.ContainsFunc(dead, func(d value) bool { return idOf(d) == idOf(v) })
	})
	b.setItems("tombstone-builds", append(dead, b.doc.root.items("tombstone-builds")...))
	b.Remove(ids...)
	return len(dead)
}

// buried marks an entry as that of a build that was wholly deleted.
func buried(v value) value {
	if entry, ok := v.(*object); ok {
		record := cleanupRecord(entry)
		record.put("build", literal("true"))
		entry.set("policy-cleanup", record)
	}
	return v
}

// SetCleanup records what was deleted of a listed build, as cosa does since
// 2024-08-29; what is recorded already stays. A build that isn't listed is
// fs.ErrNotExist.
func (b *Builds) SetCleanup(id BuildID, c Cleanup) error {
	entry := b.find(id)
	if entry == nil {
		return fmt.Errorf("record what was deleted of build %s: %w", id, fs.ErrNotExist)
	}
	record := cleanupRecord(entry)
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
