package catalog

import (
	"hash/crc64"
	"time"

	"cosafs/index"
)

// A storeState is what is known of a store as a whole.
type storeState struct {
	list       File
	synced     time.Time
	generation uint32 // of the texts
	clean      bool   // nothing of an earlier list is left to be deleted
}

func (s *storeState) encode() []byte {
	var e encoder
	encodeFile(&e, s.list)
	e.time(s.synced)
	e.uint(uint64(s.generation))
	e.flag(s.clean)
	return e.out
}

func decodeState(data []byte) (storeState, error) {
	d := decoder{rest: data}
	s := storeState{list: decodeFile(&d), synced: d.time(), generation: uint32(d.uint()), clean: d.flag()}
	return s, d.end("a store")
}

// An order is what is known of a list beyond its builds' records.
type order struct {
	ids      []string // of the builds that are recorded, in the list's order
	tags     []tag
	again    []string // builds that could not be read: to be looked at again
	problems []problem
}

type tag struct{ name, target string }

// A problem is why an architecture of a build can't be used or, without a build, an
// entry of the list.
type problem struct{ id, arch, text string }

func (p problem) String() string {
	switch {
	case p.id == "":
		return p.text
	case p.arch == "":
		return p.id + ": " + p.text
	}
	return p.id + "/" + p.arch + ": " + p.text
}

func (o *order) encode() []byte {
	var e encoder
	encodeList(&e, o.ids, (*encoder).text)
	encodeList(&e, o.tags, func(e *encoder, t tag) { e.text(t.name); e.text(t.target) })
	encodeList(&e, o.again, (*encoder).text)
	encodeList(&e, o.problems, func(e *encoder, p problem) { e.text(p.id); e.text(p.arch); e.text(p.text) })
	return e.out
}

func decodeOrder(data []byte) (order, error) {
	d := decoder{rest: data}
	o := order{
		ids:      decodeList(&d, (*decoder).text),
		tags:     decodeList(&d, func(d *decoder) tag { return tag{d.text(), d.text()} }),
		again:    decodeList(&d, (*decoder).text),
		problems: decodeList(&d, func(d *decoder) problem { return problem{d.text(), d.text(), d.text()} }),
	}
	return o, d.end("a list's order")
}

// A buildRecord is what is known of a build but for its architectures.
type buildRecord struct {
	heads   []head
	files   []File
	cleanup index.Cleanup
}

// A head is what a query wants to know of an architecture before it is read.
type head struct {
	Head
	ref   uint32
	kinds uint64 // see kindBit
}

func (b *buildRecord) encode() []byte {
	var e encoder
	encodeList(&e, b.heads, func(e *encoder, h head) {
		e.text(h.Name)
		e.fixed(h.Stamp)
		e.time(h.Time)
		e.uint(uint64(h.ref))
		e.fixed(h.kinds)
	})
	encodeList(&e, b.files, encodeFile)
	e.flag(b.cleanup.CloudUploads)
	e.flag(b.cleanup.Containers)
	e.flag(b.cleanup.Build)
	e.flag(b.cleanup.Images)
	encodeList(&e, b.cleanup.ImagesKept, func(e *encoder, k index.Kind) { e.text(string(k)) })
	return e.out
}

func decodeBuild(data []byte) (buildRecord, error) {
	d := decoder{rest: data}
	b := buildRecord{
		heads: decodeList(&d, func(d *decoder) head {
			return head{Head: Head{Name: d.text(), Stamp: d.fixed(), Time: d.time()}, ref: uint32(d.uint()), kinds: d.fixed()}
		}),
		files: decodeList(&d, decodeFile),
		cleanup: index.Cleanup{
			CloudUploads: d.flag(), Containers: d.flag(), Build: d.flag(), Images: d.flag(),
			ImagesKept: decodeList(&d, func(d *decoder) index.Kind { return index.Kind(d.text()) }),
		},
	}
	return b, d.end("a build")
}

// time is the build's: the latest of its architectures'.
func (b *buildRecord) time() time.Time {
	var latest time.Time
	for _, h := range b.heads {
		if h.Time.After(latest) {
			latest = h.Time
		}
	}
	return latest
}

// head finds an architecture.
func (b *buildRecord) head(arch string) (head, bool) {
	for _, h := range b.heads {
		if h.Name == arch {
			return h, true
		}
	}
	return head{}, false
}

func encodeFile(e *encoder, f File) {
	e.text(f.Name)
	e.int(f.Size)
	e.time(f.ModTime)
	e.digest(f.Version)
}

func decodeFile(d *decoder) File {
	return File{Name: d.text(), Size: d.int(), ModTime: d.time(), Version: d.digest()}
}

// encodeArch writes all but the stamp, which is that of what it wrote.
func encodeArch(a *Arch) []byte {
	var e encoder
	for _, s := range []string{a.ID, a.Name, a.Dir, a.OS, a.Version, a.Config, a.Problem} {
		e.text(s)
	}
	e.digest(a.Commit)
	e.time(a.Time)
	e.flag(a.Listed)
	encodeList(&e, a.Files, encodeFile)
	encodeList(&e, a.Images, encodeImage)
	return e.out
}

func decodeArch(data []byte) (Arch, error) {
	d := decoder{rest: data}
	a := Arch{
		ID: d.text(), Name: d.text(), Dir: d.text(), OS: d.text(), Version: d.text(), Config: d.text(), Problem: d.text(),
		Commit: d.digest(), Time: d.time(), Listed: d.flag(),
		Files: decodeList(&d, decodeFile), Images: decodeList(&d, decodeImage), Stamp: stampOf(data),
	}
	return a, d.end("an architecture")
}

var stampTable = crc64.MakeTable(crc64.ECMA)

// stampOf tells records of an architecture apart.
func stampOf(data []byte) uint64 { return crc64.Checksum(data, stampTable) }

func encodeImage(e *encoder, im index.Image) {
	e.text(string(im.Kind))
	e.text(im.Path)
	e.digest(im.SHA256)
	e.int(im.Size)
	e.digest(im.UncompressedSHA256)
	e.int(im.UncompressedSize)
	e.flag(im.SkipCompression)
}

func decodeImage(d *decoder) index.Image {
	return index.Image{
		Kind: index.Kind(d.text()), Path: d.text(), SHA256: d.digest(), Size: d.int(),
		UncompressedSHA256: d.digest(), UncompressedSize: d.int(), SkipCompression: d.flag(),
	}
}

// kindBit gives the bit of a kind in a head. Kinds may share one: the bit says
// where to look, the record what is there.
func kindBit(kind string) uint64 { return 1 << (stampOf([]byte(kind)) % 64) }
