package stream

import (
	"slices"
	"strings"

	"cosafs/index"
	"cosafs/vfs"
)

// pathOf is where an entry lies below the root.
func pathOf(e vfs.Entry) string {
	parts := slices.DeleteFunc([]string{e.Build, e.Arch, e.Name}, func(p string) bool { return p == "" })
	return strings.Join(parts, "/")
}

// shortNames gives the names that are links to an artifact: what its own name
// has beside the OS, the build and the architecture and, if it is the one to
// use, the name that its kind goes by.
func shortNames(rec record, e vfs.Entry, use bool) []string {
	var names []string
	if rest, ok := strings.CutPrefix(e.Name, rec.OS+"-"+rec.ID+"-"); ok {
		// Kernels have their architecture at the end, after a dash.
		rest = strings.TrimSuffix(strings.Replace(rest, "."+rec.Name, "", 1), "-"+rec.Name)
		names = append(names, rest)
	}
	if name := index.ShortName(index.Kind(e.Kind)); use && name != "" && !slices.Contains(names, name) {
		names = append(names, name)
	}
	return names
}

// unpacked gives what a compressed artifact holds, as a file of its own beside it:
// cosa compress takes the uncompressed one away, and disk images can't be used
// compressed. Artifacts that are compressed by nature stay what they are.
func unpacked(rec record, im index.Image, packed item) (item, bool) {
	name, suffix, ok := cutSuffix(packed.Name)
	if !ok || im.SkipCompression {
		return item{}, false
	}
	if im.UncompressedSHA256 == "" {
		_, on, ok := index.ParseFileName(packed.Name, rec.OS, index.BuildID(rec.ID), index.Arch(rec.Name))
		if !ok || on != suffix {
			return item{}, false
		}
	}
	inner := packed
	inner.Name, inner.Size, inner.SHA256 = name, im.UncompressedSize, im.UncompressedSHA256
	inner.packed, inner.listed = suffix, false
	inner.short = shortNames(rec, inner.Entry, true)
	return inner, true
}

// cutSuffix takes a compression's suffix off a name.
func cutSuffix(name string) (rest, suffix string, ok bool) {
	for _, suffix := range []string{"xz", "gz", "zst"} {
		if rest, ok := strings.CutSuffix(name, "."+suffix); ok && rest != "" {
			return rest, suffix, true
		}
	}
	return name, "", false
}
