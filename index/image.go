package index

import "fmt"

// An Image is an entry of meta.json's images: one artifact of a build.
type Image struct {
	Kind   Kind
	Path   string // as recorded; use [Image.File] to open it
	SHA256 string // hex, of the file at Path
	Size   int64  // bytes of the file at Path; -1 not recorded, as for classic live images
	// UncompressedSHA256 and UncompressedSize describe what the file at Path holds
	// compressed; "" and -1 where it is not compressed or nothing is recorded.
	UncompressedSHA256 string
	UncompressedSize   int64
	SkipCompression    bool // neither compress it, nor decompress it before use
}

// File gives the name of the image's file in its build's directory. A path that
// would lead out of there is [io/fs.ErrInvalid]. The name may be that of an
// earlier build: cosa reuses the ostree artifact of an unchanged commit.
func (im Image) File() (string, error) {
	if err := checkName("path", im.Path); err != nil {
		return "", fmt.Errorf("image %s: %w", im.Kind, err)
	}
	return im.Path, nil
}

// Images gives the images in the order of the document.
func (m *Meta) Images() []Image {
	images, ok := m.doc.root.values[keyImages].(*object)
	if !ok {
		return nil
	}
	var all []Image
	for _, kind := range images.keys {
		if entry, ok := images.values[kind].(*object); ok {
			all = append(all, decodeImage(Kind(kind), entry))
		}
	}
	return all
}

// Image gives one image, if it is recorded.
func (m *Meta) Image(kind Kind) (Image, bool) {
	images, ok := m.doc.root.values[keyImages].(*object)
	if !ok {
		return Image{}, false
	}
	entry, ok := images.values[string(kind)].(*object)
	if !ok {
		return Image{}, false
	}
	return decodeImage(kind, entry), true
}

// decodeImage reads an entry; sizes were strings until 2019-03.
func decodeImage(kind Kind, entry *object) Image {
	size := func(key string) int64 {
		if n, ok := entry.integer(key); ok && n >= 0 {
			return n
		}
		return -1
	}
	return Image{
		Kind: kind, Path: entry.str("path"), SHA256: entry.str("sha256"), Size: size("size"),
		UncompressedSHA256: entry.str("uncompressed-sha256"), UncompressedSize: size("uncompressed-size"),
		SkipCompression: entry.flag("skip-compression"),
	}
}

// SetImage records im under kind, whatever im.Kind says. Keys of an existing
// entry that Image does not know stay. A path that is no file name is
// [io/fs.ErrInvalid]; a document whose images is no object is [ErrSchema].
func (m *Meta) SetImage(kind Kind, im Image) error {
	im.Kind = kind
	if _, err := im.File(); err != nil {
		return err
	}
	images, err := m.makeImages()
	if err != nil {
		return err
	}
	entry, ok := images.values[string(kind)].(*object)
	if !ok {
		entry = newObject()
		m.doc.touch(images.put(string(kind), entry))
	}
	m.doc.touch(im.encode(entry))
	return nil
}

// makeImages gives the object that holds the images, a new one if need be.
func (m *Meta) makeImages() (*object, error) {
	v, ok := m.doc.root.values[keyImages]
	if !ok {
		v = newObject()
		m.doc.put(keyImages, v)
	}
	images, ok := v.(*object)
	if !ok {
		return nil, fmt.Errorf("meta.json: %w: images is %s instead of object", ErrSchema, typeName(v))
	}
	return images, nil
}

// encode writes im into its entry and says whether that changed anything.
func (im Image) encode(entry *object) bool {
	fields := []struct {
		key   string
		value value
	}{
		{"path", text(im.Path)},
		{"sha256", text(im.SHA256)},
		{"size", known(im.Size >= 0, number(im.Size))},
		{"uncompressed-sha256", known(im.UncompressedSHA256 != "", text(im.UncompressedSHA256))},
		{"uncompressed-size", known(im.UncompressedSHA256 != "" && im.UncompressedSize >= 0, number(im.UncompressedSize))},
		{"skip-compression", known(im.SkipCompression, literal("true"))},
	}
	changed := false
	for _, f := range fields {
		if f.key == "skip-compression" && !im.SkipCompression && !entry.flag(f.key) {
			continue // a recorded false says the same
		}
		if entry.put(f.key, f.value) {
			changed = true
		}
	}
	return changed
}

// known gives v, or the nil that deletes a key.
func known(ok bool, v value) value {
	if !ok {
		return nil
	}
	return v
}
