package index

import (
	"fmt"
	"slices"
)

// An Entry is one build of a builds.json.
type Entry struct {
	ID BuildID
	// Arches are in the order they were added; empty in a legacy list.
	Arches []Arch
	// Cleanup is what was deleted of the build from a remote store.
	Cleanup Cleanup
}

// A Cleanup is the policy-cleanup record that cosa's remote garbage collection
// leaves (since 2024-07). Zero: nothing was deleted.
type Cleanup struct {
	CloudUploads bool // images uploaded to clouds
	Containers   bool // container images
	Build        bool // the whole build
	Images       bool // artifacts, but for those in ImagesKept
	ImagesKept   []Kind
}

// Keeps says whether the remote store should still have an artifact.
func (c Cleanup) Keeps(kind Kind) bool {
	return !c.Build && (!c.Images || slices.Contains(c.ImagesKept, kind))
}

// decodeEntries reads a list of builds. What it leaves out it tells.
func decodeEntries(items []value) (entries []Entry, problems []error) {
	seen := make(map[BuildID]bool, len(items))
	for i, item := range items {
		e, err := decodeEntry(item)
		if err == nil && seen[e.ID] {
			err = fmt.Errorf("%w: %s is listed already", ErrSchema, e.ID)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("builds.json: entry %d: %w", i, err))
			continue
		}
		seen[e.ID] = true
		entries = append(entries, e)
	}
	return entries, problems
}

// decodeEntry reads an entry of either form: an object, or the bare id.
func decodeEntry(item value) (Entry, error) {
	var e Entry
	switch item := item.(type) {
	case text:
		e.ID = BuildID(item)
	case *object:
		e.ID = BuildID(item.str("id"))
		for _, arch := range item.strings("arches") {
			e.Arches = append(e.Arches, Arch(arch))
		}
		e.Cleanup = decodeCleanup(item)
	default:
		return e, fmt.Errorf("%w: %s instead of an object", ErrSchema, typeName(item))
	}
	err := checkName("build id", string(e.ID))
	for _, arch := range e.Arches {
		if err == nil {
			err = checkName("architecture", string(arch))
		}
	}
	return e, err
}

// cleanupRecord gives an entry's policy-cleanup: an object since 2024-08-29; a
// copy in that form where it is older, a list of what was cleaned up.
func cleanupRecord(entry *object) *object {
	record, ok := entry.values["policy-cleanup"].(*object)
	if !ok {
		record = newObject()
		for _, what := range entry.strings("policy-cleanup") {
			record.put(what, literal("true"))
		}
	}
	return record
}

func decodeCleanup(entry *object) Cleanup {
	record := cleanupRecord(entry)
	_, kept := record.values["images-kept"]
	c := Cleanup{
		CloudUploads: record.flag("cloud-uploads"),
		Containers:   record.flag("containers"),
		Build:        record.flag("build"),
		Images:       record.flag("images") || kept,
	}
	for _, kind := range record.strings("images-kept") {
		c.ImagesKept = append(c.ImagesKept, Kind(kind))
	}
	return c
}
