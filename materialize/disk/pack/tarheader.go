package pack

import (
	"encoding/binary"
	"fmt"
	"time"

	"cosafs/materialize/disk/view"
)

// A tarField is a place in a header block.
type tarField struct{ at, size int }

// in gives the field's bytes of a header.
func (f tarField) in(header []byte) []byte { return header[f.at : f.at+f.size] }

// Fields of the old GNU header (GNU tar's tar.h, struct oldgnu_header). Its map of
// regions goes on in blocks of its own behind it.
var (
	nameField     = tarField{0, 100}
	modeField     = tarField{100, 8}
	uidField      = tarField{108, 8}
	gidField      = tarField{116, 8}
	sizeField     = tarField{124, 12} // of what the archive holds
	mtimeField    = tarField{136, 12}
	checksumField = tarField{148, 8}
	typeField     = tarField{156, 1}
	magicField    = tarField{257, 8}
	userField     = tarField{265, 32}
	groupField    = tarField{297, 32}
	regionsField  = tarField{386, 4 * regionSize}
	extendedField = tarField{482, 1} // 1: more regions in the next block
	realSizeField = tarField{483, 12}

	moreRegionsField  = tarField{0, 21 * regionSize}
	moreExtendedField = tarField{504, 1}
)

const regionSize = 24 // bytes of a region in a map: its offset and its length

// sparseHeader gives the header of a sparse member, and the blocks of its map.
func sparseHeader(name string, modified time.Time, size int64, regions []view.Extent) ([]byte, error) {
	if err := checkMember(name, modified); err != nil {
		return nil, err
	}
	held := int64(0)
	for _, r := range regions {
		held += r.End - r.Start
	}
	h := make([]byte, tarBlock)
	copy(nameField.in(h), name)
	tarNumber(modeField.in(h), 0o644)
	tarNumber(uidField.in(h), 0)
	tarNumber(gidField.in(h), 0)
	tarNumber(sizeField.in(h), held)
	tarNumber(mtimeField.in(h), modified.Unix())
	copy(typeField.in(h), "S")
	copy(magicField.in(h), "ustar  \x00")
	copy(userField.in(h), "root")
	copy(groupField.in(h), "root")
	tarNumber(realSizeField.in(h), size)
	regions = putRegions(h, regionsField, extendedField, regions)
	tarChecksum(h)
	for len(regions) > 0 {
		block := make([]byte, tarBlock)
		regions = putRegions(block, moreRegionsField, moreExtendedField, regions)
		h = append(h, block...)
	}
	return h, nil
}

// putRegions fills a block's part of the map and gives the regions that are left.
func putRegions(block []byte, at, extended tarField, regions []view.Extent) []view.Extent {
	list := at.in(block)
	n := min(len(list)/regionSize, len(regions))
	for i, r := range regions[:n] {
		entry := list[i*regionSize:][:regionSize]
		tarNumber(entry[:12], r.Start)
		tarNumber(entry[12:], r.End-r.Start)
	}
	if n < len(regions) {
		extended.in(block)[0] = 1
	}
	return regions[n:]
}

// tarNumber writes octal digits and a NUL, or GNU's base 256 where they don't
// suffice: a size of 8 GiB and more.
func tarNumber(field []byte, n int64) {
	digits := len(field) - 1
	if n < 1<<(3*digits) {
		copy(field, fmt.Sprintf("%0*o", digits, n))
		return
	}
	binary.BigEndian.PutUint64(field[len(field)-8:], uint64(n))
	field[0] = 0x80
}

// tarChecksum writes the sum of the header's bytes, its own field as spaces.
func tarChecksum(h []byte) {
	field := checksumField.in(h)
	copy(field, "        ")
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	copy(field, fmt.Sprintf("%06o\x00 ", sum))
}
