package stream

import (
	"slices"

	"cosafs/backend"
	"cosafs/index"
	"cosafs/materialize"
	"cosafs/materialize/blobcache"
	"cosafs/vfs"
)

// An item is a file of the tree with where its bytes are.
type item struct {
	vfs.Entry
	file   object // of a store; the zero object if no store has it
	packed string // how the object is compressed, where the item is what it holds
	listed bool
	short  []string // names that are links to it
	gone   error    // why there are no bytes, nil if there are
}

// items gives everything that can be asked for in a directory.
func (s *Stream) items(rec record) []item {
	var items []item
	for _, f := range rec.Files {
		if hidden(f.Name) {
			continue
		}
		items = append(items, item{
			Entry:  vfs.Entry{Build: rec.ID, Arch: rec.arch, Name: f.Name, Size: f.Size, ModTime: f.ModTime},
			file:   object{src: rec.src, key: backend.Key(rec.Dir).Join(f.Name), size: f.Size, version: f.Version, mtime: f.ModTime},
			listed: true,
		})
	}
	items = s.addImages(rec, items)
	if !rec.Listed {
		items = s.addUnlisted(rec, items)
	}
	for i := range items {
		s.describe(&items[i])
	}
	return items
}

// addImages joins the files with what meta.json says of them, and adds what it
// alone knows.
func (s *Stream) addImages(rec record, items []item) []item {
	for _, im := range rec.Images {
		name, err := im.File()
		if err != nil || hidden(name) {
			continue
		}
		i := slices.IndexFunc(items, func(it item) bool { return it.Name == name })
		if i < 0 {
			i = len(items)
			items = append(items, s.recorded(rec, im, name))
		}
		it := &items[i]
		it.image(rec, im)
		inner, packed := unpacked(rec, im, *it)
		if it.short = shortNames(rec, it.Entry, !packed); packed && !has(items, inner.Name) {
			items = append(items, inner)
		}
	}
	return items
}

// image adds what meta.json records of a file.
func (it *item) image(rec record, im index.Image) {
	it.Kind, it.SHA256, it.file.sha256 = string(im.Kind), im.SHA256, im.SHA256
	if !rec.Time.IsZero() {
		it.ModTime = rec.Time
	}
	if im.Size >= 0 && it.Size >= 0 && im.Size != it.Size {
		it.gone = corrupt(it.Name, rec.src, wrongSize(it.Size, im.Size))
		it.Size, it.State = im.Size, materialize.StateFailed
	}
}

func has(items []item, name string) bool {
	return slices.ContainsFunc(items, func(it item) bool { return it.Name == name })
}

// recorded gives an image that no list of the store names: one that is gone or,
// where the store can't list, one that should be there.
func (s *Stream) recorded(rec record, im index.Image, name string) item {
	it := item{Entry: vfs.Entry{Build: rec.ID, Arch: rec.arch, Name: name, Kind: string(im.Kind), Size: im.Size}}
	if why := whyGone(rec, im, it.Entry); why != nil {
		it.State, it.gone = materialize.StateGone, why
		return it
	}
	it.file = s.known(object{src: rec.src, key: backend.Key(rec.Dir).Join(name), size: im.Size, mtime: rec.Time})
	it.Size, it.listed = it.file.size, im.Size >= 0
	return it
}

// unlisted are the documents of a build that meta.json does not name (cosa's
// build directory, since 2018).
var unlisted = []string{"commitmeta.json", "ostree-commit-object"}

// addUnlisted adds documents that a store which can't list may have.
func (s *Stream) addUnlisted(rec record, items []item) []item {
	for _, name := range unlisted {
		if has(items, name) {
			continue
		}
		file := s.known(object{src: rec.src, key: backend.Key(rec.Dir).Join(name), size: -1, mtime: rec.Time})
		items = append(items, item{
			Entry: vfs.Entry{Build: rec.ID, Arch: rec.arch, Name: name, Size: file.size, ModTime: file.mtime}, file: file,
		})
	}
	return items
}

// describe adds to an item where its bytes are now.
func (s *Stream) describe(it *item) {
	if it.gone != nil {
		it.Reason = it.gone.Error()
		return
	}
	it.Source, it.State = it.file.src.name, materialize.StateRemote
	if s.complete(it) {
		it.State = materialize.StateCached
		return
	}
	if err := it.file.src.silent(); err != nil {
		it.State, it.Reason = materialize.StateUnknown, "not in the cache, and the store can't be asked: "+materialize.OneLine(err.Error())
	}
}

// complete says whether all bytes of an item are in the cache. It may learn the
// item's size.
func (s *Stream) complete(it *item) bool {
	if it.file.version == "" {
		return false
	}
	state := s.cache.State(it.object().ID)
	if it.Size < 0 && state.Complete {
		it.Size = state.Present
	}
	return state.Complete
}

// object is the item as the cache knows it.
func (it *item) object() blobcache.Object {
	o := it.file.blob()
	if it.packed != "" {
		o = blobcache.Object{ID: o.ID + "\n" + it.packed, Name: pathOf(it.Entry), Size: it.Size, SHA256: it.SHA256}
	}
	return o
}

// hidden says whether a file of a store is not shown: none of a build's, or of a
// name that no directory can hold.
func hidden(name string) bool { return !index.ValidName(name) || index.Transient(name) }
