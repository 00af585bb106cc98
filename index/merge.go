package index

import "fmt"

// guards are the keys that tell builds apart. A document on disk that has one
// is merged only with a document that has the same.
var guards = []string{keyCommit, keyContentChecksum, keyImageChecksum}

// Merge does what cosa does when a step writes its meta.json: disk is what lies
// on disk now, mine what the step loaded earlier and edited. The inputs stay.
//
//   - Equal stamps: nobody else wrote since, so mine is taken as it is.
//   - Else the union of both, recursively; the document with the larger stamp
//     wins conflicts. Lists are concatenated and exact duplicates dropped.
//
// So additions of both sides survive, while what one side deleted comes back.
// A missing stamp counts as 0; see [Meta.SeedStamp] for what cosa makes of it.
// The caller sets a new stamp and writes the result, all under cosa's lock.
// Documents of different builds are [ErrConflict].
func Merge(disk, mine *Meta) (*Meta, error) {
	if err := checkSameBuild(disk.doc.root, mine.doc.root); err != nil {
		return nil, err
	}
	theirs, _ := disk.Stamp()
	ours, _ := mine.Stamp()
	switch {
	case theirs == ours:
		return mine.Clone(), nil
	case theirs > ours:
		return &Meta{doc: document{root: union(disk.doc.root, mine.doc.root)}}, nil
	default:
		return &Meta{doc: document{root: union(mine.doc.root, disk.doc.root)}}, nil
	}
}

// checkSameBuild compares the guards, and the commit of the configuration.
func checkSameBuild(disk, mine *object) error {
	for _, key := range guards {
		if err := checkSame(key, disk, mine); err != nil {
			return err
		}
	}
	theirs, ok := disk.values[keyConfigGit].(*object)
	if !ok {
		return nil
	}
	ours, ok := mine.values[keyConfigGit].(*object)
	if !ok {
		ours = newObject()
	}
	return checkSame("commit", theirs, ours)
}

func checkSame(key string, disk, mine *object) error {
	v, ok := disk.values[key]
	if !ok || equal(v, mine.values[key]) {
		return nil
	}
	return fmt.Errorf("merge meta.json: %s is %s on disk and %s here: %w",
		key, canonical(v), canonical(mine.values[key]), ErrConflict)
}

// union gives a new object with the members of both; winner's keys come first.
func union(winner, loser *object) *object {
	all := winner.clone()
	for _, key := range loser.keys {
		v := loser.values[key]
		if first, ok := winner.values[key]; ok {
			v = unite(first, v)
		} else {
			v = clone(v)
		}
		all.set(key, v)
	}
	return all
}

// unite gives the union of two values of one key. Only two objects or two lists
// have one; else winner it is.
func unite(winner, loser value) value {
	switch w := winner.(type) {
	case *object:
		if l, ok := loser.(*object); ok {
			return union(w, l)
		}
	case *array:
		if l, ok := loser.(*array); ok {
			return concat(w, l)
		}
	}
	return clone(winner)
}

// concat gives the elements of both lists, each once. Equal lists stay as they
// are, with the duplicates they may have.
func concat(a, b *array) value {
	if equal(a, b) {
		return clone(a)
	}
	all := &array{}
	seen := make(map[string]bool)
	for _, list := range [][]value{a.items, b.items} {
		for _, item := range list {
			if key := canonical(item); !seen[key] {
				seen[key] = true
				all.items = append(all.items, clone(item))
			}
		}
	}
	return all
}
