package view

// composed is an Image of sections.
type composed struct {
	sections
	next nextFunc
}

// Next is that of [Image].
func (c *composed) Next(off int64) (Extent, bool) { return joined(off, c.next) }

// Bytes shows b, which must not change any more, as an Image. All of it is data.
func Bytes(b []byte) Image {
	c := &composed{next: extents(nil).add(Extent{0, int64(len(b))}).next}
	c.add(int64(len(b)), func(p []byte, off int64) error { copy(p, b[off:]); return nil })
	return c
}

// zeros is an Image without data.
func zeros(size int64) Image {
	c := &composed{next: extents(nil).next}
	c.add(size, func(p []byte, _ int64) error { clear(p); return nil })
	return c
}

// Concat shows images one after the other.
func Concat(parts ...Image) Image {
	c := &composed{}
	for _, part := range parts {
		c.show(part.Size(), part)
	}
	c.next = func(off int64) (Extent, bool) {
		for i := c.at(off); i < len(parts); i++ {
			start := c.sections[i].start
			if e, ok := parts[i].Next(max(0, off-start)); ok {
				return Extent{start + e.Start, start + e.End}, true
			}
		}
		return Extent{}, false
	}
	return c
}

// Grow shows base with zeros at its end, size bytes in all. A base of that size or
// more is shown as it is.
func Grow(base Image, size int64) Image {
	if size <= base.Size() {
		return base
	}
	return Concat(base, zeros(size-base.Size()))
}
