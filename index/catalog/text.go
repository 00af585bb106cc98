package catalog

import (
	"encoding/binary"
	"fmt"
)

// Texts of a store: too long for one record of the database.
const (
	textList  = 'l' // builds.json as it is
	textOrder = 'o' // see order
)

// text gives a text whose parts are below key.
func (r reader) text(key []byte) ([]byte, error) {
	var packed []byte
	parts := 0
	last := false
	err := r.each(key, key, func(k, part []byte) (bool, error) {
		if last || len(k) != len(key)+2 || int(binary.BigEndian.Uint16(k[len(key):])) != parts || len(part) == 0 {
			return false, fmt.Errorf("%w: the parts of a list don't fit", ErrDamaged)
		}
		parts++
		last = part[0] == 1
		packed = append(packed, part[1:]...)
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	if !last {
		return nil, fmt.Errorf("%w: a part of a list is missing", ErrDamaged)
	}
	return unpack(packed)
}

// putText writes a text of a generation that nobody reads yet, a few parts in each
// transaction. Each part says first whether it is the last.
func (c *Catalog) putText(key, data []byte) error {
	packed, err := pack(data)
	if err != nil {
		return err
	}
	for part := 0; ; part++ {
		n := min(len(packed), chunkSize)
		last := byte(0)
		if n == len(packed) {
			last = 1
		}
		payload := append([]byte{last}, packed[:n]...)
		partKey := binary.BigEndian.AppendUint16(append([]byte(nil), key...), uint16(part))
		if err := c.update(func(w *writer) error { return w.put(partKey, payload) }); err != nil {
			return err
		}
		if packed = packed[n:]; last == 1 {
			return nil
		}
	}
}
