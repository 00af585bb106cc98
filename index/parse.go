package index

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep values may nest. Python gives up near 1000 as well; the
// limit keeps a hostile file from overflowing a stack.
const maxDepth = 1000

// parse reads one JSON value that will lie depth levels deep in its document.
func parse(data []byte, depth int) (value, error) {
	if at := invalidUTF8(data); at >= 0 {
		return nil, syntaxError(data, at, "not UTF-8")
	}
	if at := tooDeep(data, depth); at >= 0 {
		return nil, syntaxError(data, at, fmt.Sprintf("nested deeper than %d levels", maxDepth))
	}
	var whole json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		at := len(data)
		if bad, ok := errors.AsType[*json.SyntaxError](err); ok {
			at = int(bad.Offset)
		}
		return nil, syntaxError(data, at, err.Error())
	}
	r := reader{rest: data}
	return r.value(), nil
}

// syntaxError says where and what; at is an offset in bytes.
func syntaxError(data []byte, at int, what string) error {
	before := data[:min(at, len(data))]
	line := bytes.Count(before, []byte("\n")) + 1
	return fmt.Errorf("%w: line %d, byte %d: %s", ErrSyntax, line, at, what)
}

// invalidUTF8 gives the offset of the first byte that isn't UTF-8, or -1.
func invalidUTF8(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size <= 1 {
			return i
		}
		i += size
	}
	return -1
}

// tooDeep gives the offset of the first bracket beyond maxDepth, or -1. Text
// that is not JSON may be miscounted; then it is refused for that.
func tooDeep(data []byte, depth int) int {
	inText := false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			inText = !inText
		case inText:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return i
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return -1
}

// A reader builds values from text that is known to be valid JSON, so that
// nothing can go wrong.
type reader struct{ rest []byte }

// peek skips blanks and gives the next byte.
func (r *reader) peek() byte {
	r.rest = bytes.TrimLeft(r.rest, " \t\r\n")
	return r.rest[0]
}

// take says whether the next byte is c, and steps over it then.
func (r *reader) take(c byte) bool {
	if r.peek() != c {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

func (r *reader) value() value {
	switch {
	case r.take('{'):
		return r.object()
	case r.take('['):
		return r.array()
	case r.take('"'):
		return text(r.text())
	}
	end := bytes.IndexAny(r.rest, " \t\r\n,]}")
	if end < 0 {
		end = len(r.rest)
	}
	word := r.rest[:end]
	r.rest = r.rest[end:]
	return literal(word)
}

func (r *reader) object() *object {
	o := newObject()
	for !r.take('}') {
		r.take(',')
		r.take('"')
		key := r.text()
		r.take(':')
		o.set(key, r.value())
	}
	return o
}

func (r *reader) array() *array {
	a := &array{}
	for !r.take(']') {
		r.take(',')
		a.items = append(a.items, r.value())
	}
	return a
}

// text reads a string whose opening quote is behind us.
func (r *reader) text() string {
	end := 0
	for r.rest[end] != '"' {
		if r.rest[end] == '\\' {
			end++
		}
		end++
	}
	quoted := r.rest[:end]
	r.rest = r.rest[end+1:]
	return unescape(quoted)
}

// shortEscapes are the escapes of one letter, by letter.
var shortEscapes = map[byte]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unescape decodes the inside of a string. The library's decoder would replace
// lone surrogates, and so is not used.
func unescape(quoted []byte) string {
	if !bytes.ContainsRune(quoted, '\\') {
		return string(quoted)
	}
	out := make([]byte, 0, len(quoted))
	for i := 0; i < len(quoted); i++ {
		if quoted[i] != '\\' {
			out = append(out, quoted[i])
			continue
		}
		i++
		if c, ok := shortEscapes[quoted[i]]; ok {
			out = append(out, c)
		} else if quoted[i] != 'u' {
			out = append(out, quoted[i])
		} else {
			c, n := unicodeEscape(quoted[i+1:])
			out, i = appendRune(out, c), i+n
		}
	}
	return string(out)
}

// unicodeEscape decodes what follows \u, with the second half of a surrogate
// pair if there is one, and says how many bytes that took.
func unicodeEscape(b []byte) (rune, int) {
	first := hex4(b)
	if len(b) >= 10 && b[4] == '\\' && b[5] == 'u' {
		if pair := utf16.DecodeRune(first, hex4(b[6:])); pair != utf8.RuneError {
			return pair, 10
		}
	}
	return first, 4
}

func hex4(b []byte) rune {
	n, err := strconv.ParseUint(string(b[:4]), 16, 16)
	if err != nil {
		return utf8.RuneError // not in valid JSON
	}
	return rune(n)
}

// appendRune is utf8.AppendRune, but encodes lone surrogates too.
func appendRune(b []byte, r rune) []byte {
	if utf16.IsSurrogate(r) {
		return append(b, 0xE0|byte(r>>12), 0x80|byte(r>>6)&0x3F, 0x80|byte(r)&0x3F)
	}
	return utf8.AppendRune(b, r)
}
