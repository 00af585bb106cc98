package compose

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
)

// errVariant means that bytes are not what their type says.
var errVariant = errors.New("malformed GVariant")

// maxDataDepth bounds nesting, as GLib does for data from elsewhere.
const maxDataDepth = 64

// decodeVariant reads little-endian GVariant data of a type, the form in which
// OSTree keeps its objects (GLib's "GVariant Specification" 1.0). It gives
// string, bool, the Go integers and float64; []byte for ay, map[string]any for
// a{s*}, []any for other arrays and for tuples. Variants are unwrapped.
//
// GLib replaces malformed parts by default values; here they are errors, since
// all data comes from ostree and was checked against its digest.
func decodeVariant(typ string, data []byte) (any, error) {
	rest, err := cutType(typ)
	if err != nil || rest != "" {
		return nil, errVariant
	}
	return decodeAt(typ, data, 0)
}

func decodeAt(typ string, data []byte, depth int) (any, error) {
	if depth > maxDataDepth {
		return nil, errVariant
	}
	switch typ[0] {
	case 'v':
		return decodeBoxed(data, depth)
	case 'a':
		return decodeArray(typ[1:], data, depth)
	case '(', '{':
		return decodeTuple(typ[1:len(typ)-1], data, depth)
	case 's', 'o', 'g':
		if n := len(data); n == 0 || data[n-1] != 0 {
			return nil, errVariant
		}
		return string(data[:len(data)-1]), nil
	default:
		return decodeNumber(typ[0], data)
	}
}

// decodeNumber reads a value of fixed size.
func decodeNumber(typ byte, data []byte) (any, error) {
	if size := fixedSize(string(typ)); size == 0 || len(data) != size {
		return nil, errVariant
	}
	switch typ {
	case 'b':
		return data[0] != 0, nil
	case 'y':
		return data[0], nil
	case 'n':
		return int16(binary.LittleEndian.Uint16(data)), nil
	case 'q':
		return binary.LittleEndian.Uint16(data), nil
	case 'i', 'h':
		return int32(binary.LittleEndian.Uint32(data)), nil
	case 'u':
		return binary.LittleEndian.Uint32(data), nil
	case 'x':
		return int64(binary.LittleEndian.Uint64(data)), nil
	case 't':
		return binary.LittleEndian.Uint64(data), nil
	default:
		return math.Float64frombits(binary.LittleEndian.Uint64(data)), nil
	}
}

// decodeBoxed reads a variant: the value, a zero byte, its type.
func decodeBoxed(data []byte, depth int) (any, error) {
	i := bytes.LastIndexByte(data, 0)
	if i < 0 {
		return nil, errVariant
	}
	typ := string(data[i+1:])
	if rest, err := cutType(typ); err != nil || rest != "" {
		return nil, errVariant
	}
	return decodeAt(typ, data[:i], depth+1)
}

// decodeArray reads an array; elements of variable size are found by the
// offsets of their ends, which stand behind them.
func decodeArray(elem string, data []byte, depth int) (any, error) {
	if elem == "y" {
		return bytes.Clone(data), nil
	}
	parts, err := splitArray(elem, data)
	if err != nil {
		return nil, err
	}
	list := make([]any, len(parts))
	for i, part := range parts {
		if list[i], err = decodeAt(elem, part, depth+1); err != nil {
			return nil, err
		}
	}
	if strings.HasPrefix(elem, "{s") {
		return dictionary(list)
	}
	return list, nil
}

// splitArray gives the bytes of each element.
func splitArray(elem string, data []byte) ([][]byte, error) {
	var parts [][]byte
	if size := fixedSize(elem); size > 0 {
		if len(data)%size != 0 {
			return nil, errVariant
		}
		for ; len(data) > 0; data = data[size:] {
			parts = append(parts, data[:size])
		}
		return parts, nil
	}
	if len(data) == 0 {
		return nil, nil
	}
	width := offsetWidth(len(data))
	end := readOffset(data, len(data)-width, width) // of the last element: the table begins there
	if end > len(data)-width || (len(data)-end)%width != 0 {
		return nil, errVariant
	}
	start := 0
	for at := end; at < len(data); at += width {
		stop := readOffset(data, at, width)
		start = align(start, alignment(elem))
		if start > stop || stop > end {
			return nil, errVariant
		}
		parts = append(parts, data[start:stop])
		start = stop
	}
	return parts, nil
}

// dictionary makes a map of key-value pairs.
func dictionary(pairs []any) (any, error) {
	out := make(map[string]any, len(pairs))
	for _, p := range pairs {
		kv, ok := p.([]any)
		if !ok || len(kv) != 2 {
			return nil, errVariant
		}
		key, ok := kv[0].(string)
		if !ok {
			return nil, errVariant
		}
		out[key] = kv[1]
	}
	return out, nil
}

// decodeTuple reads a tuple or a dictionary's entry. The ends of members of
// variable size, but for the last member's, stand at the end in reverse order.
func decodeTuple(types string, data []byte, depth int) (any, error) {
	var out []any
	width, start, table := offsetWidth(len(data)), 0, len(data)
	for types != "" {
		rest, err := cutType(types)
		if err != nil {
			return nil, err
		}
		typ := types[:len(types)-len(rest)]
		types = rest
		start = align(start, alignment(typ))
		stop := table
		if size := fixedSize(typ); size > 0 {
			stop = start + size
		} else if rest != "" {
			table -= width
			if table < 0 {
				return nil, errVariant
			}
			stop = readOffset(data, table, width)
		}
		if start > stop || stop > table {
			return nil, errVariant
		}
		v, err := decodeAt(typ, data[start:stop], depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
		start = stop
	}
	return out, nil
}
