package compose

import (
	"encoding/binary"
	"strings"
)

// cutType gives what follows the first complete type of a type string. Maybe
// types are left out: nothing that OSTree writes has them.
func cutType(types string) (rest string, err error) { return cutTypeAt(types, 0) }

func cutTypeAt(types string, depth int) (string, error) {
	if types == "" || depth > maxDataDepth {
		return "", errVariant
	}
	switch c := types[0]; c {
	case 'a':
		return cutTypeAt(types[1:], depth+1)
	case '(', '{':
		closing := byte(')')
		if c == '{' {
			closing = '}'
		}
		rest := types[1:]
		for rest != "" && rest[0] != closing {
			var err error
			if rest, err = cutTypeAt(rest, depth+1); err != nil {
				return "", err
			}
		}
		if rest == "" || (c == '{' && rest == types[1:]) {
			return "", errVariant
		}
		return rest[1:], nil
	default:
		if !strings.ContainsRune("bynqiuxthdsogv", rune(c)) {
			return "", errVariant
		}
		return types[1:], nil
	}
}

// fixedSize is the size in bytes of a type's values, 0 where it varies. A tuple
// of fixed members is fixed; the empty one takes a byte.
func fixedSize(typ string) int {
	switch typ[0] {
	case 'b', 'y':
		return 1
	case 'n', 'q':
		return 2
	case 'i', 'u', 'h':
		return 4
	case 'x', 't', 'd':
		return 8
	case '(', '{':
		return fixedTuple(typ)
	default:
		return 0
	}
}

func fixedTuple(typ string) int {
	types, size := typ[1:len(typ)-1], 0
	if types == "" {
		return 1
	}
	for types != "" {
		rest, err := cutType(types)
		if err != nil {
			return 0
		}
		member := types[:len(types)-len(rest)]
		n := fixedSize(member)
		if n == 0 {
			return 0
		}
		size = align(size, alignment(member)) + n
		types = rest
	}
	return align(size, alignment(typ))
}

// alignment is what the offset of a type's values is a multiple of.
func alignment(typ string) int {
	switch typ[0] {
	case 'n', 'q':
		return 2
	case 'i', 'u', 'h':
		return 4
	case 'x', 't', 'd', 'v':
		return 8
	case 'a':
		return alignment(typ[1:])
	case '(', '{':
		most, types := 1, typ[1:len(typ)-1]
		for types != "" {
			rest, err := cutType(types)
			if err != nil {
				return most
			}
			most = max(most, alignment(types[:len(types)-len(rest)]))
			types = rest
		}
		return most
	default:
		return 1
	}
}

func align(n, to int) int { return (n + to - 1) / to * to }

// offsetWidth is how many bytes each offset of a container takes.
func offsetWidth(size int) int {
	switch {
	case size <= 0xff:
		return 1
	case size <= 0xffff:
		return 2
	case int64(size) <= 0xffffffff:
		return 4
	default:
		return 8
	}
}

// readOffset reads an offset; one that does not fit is beyond any data.
func readOffset(data []byte, at, width int) int {
	if at < 0 || at+width > len(data) {
		return len(data) + 1
	}
	var b [8]byte
	copy(b[:], data[at:at+width])
	v := binary.LittleEndian.Uint64(b[:])
	if v > uint64(len(data)) {
		return len(data) + 1
	}
	return int(v)
}
