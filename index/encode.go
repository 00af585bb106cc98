package index

import (
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// compact as a depth means: everything on one line.
const compact = -1

// appendValue writes v as Python's json.dump(indent=4) does, depth levels deep.
func appendValue(b []byte, v value, depth int) []byte {
	switch v := v.(type) {
	case *object:
		return appendList(b, "{}", len(v.keys), depth, func(b []byte, i, depth int) []byte {
			b = append(appendText(b, v.keys[i]), ": "...)
			return appendValue(b, v.values[v.keys[i]], depth)
		})
	case *array:
		return appendList(b, "[]", len(v.items), depth, func(b []byte, i, depth int) []byte {
			return appendValue(b, v.items[i], depth)
		})
	case text:
		return appendText(b, string(v))
	case literal:
		return append(b, v...)
	}
	return b
}

// appendList writes n elements between brackets.
func appendList(b []byte, brackets string, n, depth int, element func(b []byte, i, depth int) []byte) []byte {
	if n == 0 {
		return append(b, brackets...)
	}
	inner := depth
	if depth != compact {
		inner++
	}
	b = append(b, brackets[0])
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = element(appendBreak(b, inner, i > 0), i, inner)
	}
	return append(appendBreak(b, depth, false), brackets[1])
}

// appendBreak starts a line. On one line it writes a blank where a comma went before.
func appendBreak(b []byte, depth int, comma bool) []byte {
	switch {
	case depth != compact:
		b = append(b, '\n')
		for range depth {
			b = append(b, "    "...)
		}
	case comma:
		b = append(b, ' ')
	}
	return b
}

// pythonEscapes are the escapes that Python writes in their short form.
var pythonEscapes = map[rune]string{
	'"': `\"`, '\\': `\\`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`,
}

// appendText quotes s in ASCII, as Python does with ensure_ascii.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	for len(s) > 0 {
		r, size := decodeRune(s)
		s = s[size:]
		if esc, ok := pythonEscapes[r]; ok {
			b = append(b, esc...)
		} else if r >= ' ' && r <= '~' {
			b = append(b, byte(r))
		} else if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		} else {
			b = fmt.Appendf(b, `\u%04x`, r)
		}
	}
	return append(b, '"')
}

// decodeRune is utf8.DecodeRuneInString, but gives lone surrogates too.
func decodeRune(s string) (rune, int) {
	if len(s) >= 3 && s[0] == 0xED && s[1] >= 0xA0 && s[1] <= 0xBF && s[2]&0xC0 == 0x80 {
		return 0xD000 | rune(s[1]&0x3F)<<6 | rune(s[2]&0x3F), 3
	}
	return utf8.DecodeRuneInString(s)
}
