package catalog

import (
	"cmp"
	"math"
	"slices"
)

// refs is a set of refs as spans, in order and apart. A package stays the same over
// many builds, whose refs follow one another: so a span stands for many of them.
type refs []span

// A span is the refs from first to last.
type span struct{ first, last uint32 }

// has says whether the set has a ref.
func (s refs) has(ref uint32) bool {
	i, found := slices.BinarySearchFunc(s, ref, func(sp span, ref uint32) int { return cmp.Compare(sp.last, ref) })
	return found || i < len(s) && s[i].first <= ref
}

// with gives the set with more refs.
func (s refs) with(more []uint32) refs {
	all := slices.Clone(s)
	for _, ref := range more {
		all = append(all, span{ref, ref})
	}
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	joined := all[:0]
	for _, sp := range all {
		if n := len(joined); n > 0 && uint64(sp.first) <= uint64(joined[n-1].last)+1 {
			joined[n-1].last = max(joined[n-1].last, sp.last)
			continue
		}
		joined = append(joined, sp)
	}
	return joined
}

// encode writes each span as its distance from the one before, and its length.
func (s refs) encode() []byte {
	var e encoder
	next := uint32(0)
	for _, sp := range s {
		e.uint(uint64(sp.first - next))
		e.uint(uint64(sp.last - sp.first))
		next = sp.last
	}
	return e.out
}

// eachSpan calls fn with the spans of an encoded set, until it says stop.
func eachSpan(data []byte, fn func(span) (more bool)) error {
	d := decoder{rest: data}
	next := uint64(0)
	for len(d.rest) > 0 {
		gap, length := d.uint(), d.uint()
		first := next + gap
		next = first + length
		if max(gap, length, next) > math.MaxUint32 {
			d.fail()
		}
		if d.bad {
			break
		}
		if !fn(span{uint32(first), uint32(next)}) {
			return nil
		}
	}
	return d.end("a set of builds")
}

func decodeRefs(data []byte) (refs, error) {
	var s refs
	err := eachSpan(data, func(sp span) bool {
		s = append(s, sp)
		return true
	})
	return s, err
}

// encodedHas says whether an encoded set has a ref, without decoding all of it.
func encodedHas(data []byte, ref uint32) (bool, error) {
	has := false
	err := eachSpan(data, func(sp span) bool {
		has = sp.first <= ref && ref <= sp.last
		return sp.last < ref
	})
	return has, err
}
