package blobcache

import (
	"encoding/binary"
	"math/bits"
	"sync/atomic"
)

// A bitmap has one bit a granule. Single bits may be read while others change.
type bitmap []atomic.Uint64

func newBitmap(n int) bitmap { return make(bitmap, (n+63)/64) }

func (b bitmap) get(i int) bool { return b[i/64].Load()&(1<<(i%64)) != 0 }
func (b bitmap) set(i int)      { b[i/64].Or(1 << (i % 64)) }
func (b bitmap) clear(i int)    { b[i/64].And(^uint64(1 << (i % 64))) }

// all says whether all bits from lo to before hi are set.
func (b bitmap) all(lo, hi int) bool {
	for i := lo; i < hi; i++ {
		if !b.get(i) {
			return false
		}
	}
	return true
}

// count gives the number of bits that are set.
func (b bitmap) count() int {
	n := 0
	for i := range b {
		n += bits.OnesCount64(b[i].Load())
	}
	return n
}

// bytes is the bitmap as it is in a file: little endian words.
func (b bitmap) bytes() []byte {
	out := make([]byte, 8*len(b))
	for i := range b {
		binary.LittleEndian.PutUint64(out[8*i:], b[i].Load())
	}
	return out
}

// bitmapOf is the bitmap of n bits that bytes gave. Bits beyond are ignored.
func bitmapOf(data []byte, n int) bitmap {
	b := newBitmap(n)
	for i := range b {
		b[i].Store(binary.LittleEndian.Uint64(data[8*i:]))
	}
	if rest := n % 64; rest != 0 {
		b[len(b)-1].And(1<<rest - 1)
	}
	return b
}
