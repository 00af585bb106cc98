package catalog

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
)

// An encoder writes a record: numbers as varints, texts with their length.
type encoder struct{ out []byte }

func (e *encoder) uint(n uint64) { e.out = binary.AppendUvarint(e.out, n) }
func (e *encoder) int(n int64)   { e.out = binary.AppendVarint(e.out, n) }
func (e *encoder) fixed(n uint64) {
	e.out = binary.LittleEndian.AppendUint64(e.out, n)
}

func (e *encoder) flag(b bool) {
	n := byte(0)
	if b {
		n = 1
	}
	e.out = append(e.out, n)
}

func (e *encoder) text(s string) {
	e.uint(uint64(len(s)))
	e.out = append(e.out, s...)
}

// Digests are stored as bytes, and so are ETags, which are digests in quotes.
const (
	asText = iota
	asHex
	asQuotedHex
)

// digest writes a text that most likely is a digest in half its size.
func (e *encoder) digest(s string) {
	form, digits := byte(asHex), s
	if len(s) > 2 && s[0] == '"' && s[len(s)-1] == '"' {
		form, digits = asQuotedHex, s[1:len(s)-1]
	}
	raw, err := hex.DecodeString(digits)
	if err != nil || hex.EncodeToString(raw) != digits { // upper case would be lost
		form, raw = asText, []byte(s)
	}
	e.out = append(e.out, form)
	e.text(string(raw))
}

// time writes a time to the nanosecond, in UTC.
func (e *encoder) time(t time.Time) {
	e.flag(!t.IsZero())
	if !t.IsZero() {
		e.int(t.Unix())
		e.uint(uint64(t.Nanosecond()))
	}
}

// A decoder reads what an encoder wrote. After the first mistake it gives zeros,
// and end tells.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) uint() uint64 {
	n, size := binary.Uvarint(d.rest)
	d.skip(size)
	return n
}

func (d *decoder) int() int64 {
	n, size := binary.Varint(d.rest)
	d.skip(size)
	return n
}

// skip steps over a number's bytes; size is 0 or less where there is none.
func (d *decoder) skip(size int) {
	if size <= 0 {
		d.fail()
		return
	}
	d.rest = d.rest[size:]
}

func (d *decoder) fixed() uint64 {
	b := d.bytes(8)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

func (d *decoder) flag() bool {
	b := d.bytes(1)
	if b != nil && b[0] > 1 {
		d.fail()
	}
	return b != nil && b[0] == 1
}

// bytes gives the next n bytes, nil where there are fewer.
func (d *decoder) bytes(n uint64) []byte {
	if n > uint64(len(d.rest)) {
		d.fail()
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) fail() { d.rest, d.bad = nil, true }

func (d *decoder) text() string { return string(d.bytes(d.uint())) }

func (d *decoder) digest() string {
	form := d.bytes(1)
	raw := d.bytes(d.uint())
	switch {
	case form == nil:
	case form[0] == asText:
		return string(raw)
	case form[0] == asHex:
		return hex.EncodeToString(raw)
	case form[0] == asQuotedHex:
		return `"` + hex.EncodeToString(raw) + `"`
	}
	d.fail()
	return ""
}

func (d *decoder) time() time.Time {
	if !d.flag() {
		return time.Time{}
	}
	seconds, nanos := d.int(), d.uint()
	if nanos >= uint64(time.Second) {
		d.fail()
		return time.Time{}
	}
	return time.Unix(seconds, int64(nanos)).UTC()
}

// count gives the length of a list whose elements take at least a byte each, so
// that a bad one can't ask for memory that the record has no use for.
func (d *decoder) count() int {
	n := d.uint()
	if n > uint64(len(d.rest)) {
		d.fail()
		return 0
	}
	return int(n)
}

// end says whether all was right and nothing is left.
func (d *decoder) end(what string) error {
	if d.bad || len(d.rest) > 0 {
		return fmt.Errorf("%w: a record of %s can't be read", ErrDamaged, what)
	}
	return nil
}

// encodeList and decodeList write and read lists of any element.
func encodeList[T any](e *encoder, list []T, one func(*encoder, T)) {
	e.uint(uint64(len(list)))
	for _, v := range list {
		one(e, v)
	}
}

func decodeList[T any](d *decoder, one func(*decoder) T) []T {
	var list []T
	for n := d.count(); n > 0 && !d.bad; n-- {
		list = append(list, one(d))
	}
	return list
}
