package index

import (
	"math"
	"slices"
	"strconv"
	"time"
)

// A value is one JSON value: *object, *array, text or literal.
type value any

// A text is a JSON string, decoded. A lone surrogate, which Python reads and
// writes, is kept as the three bytes that UTF-8 would have for it.
type text string

// A literal is a number, true, false or null as it was spelled.
type literal string

// An array is a JSON array.
type array struct{ items []value }

// An object is a JSON object that remembers the order of its keys. Of a key
// that was given twice it has the last value in the first place, like Python.
type object struct {
	keys   []string
	values map[string]value
}

func newObject() *object { return &object{values: make(map[string]value)} }

func number(n int64) literal { return literal(strconv.FormatInt(n, 10)) }

// put sets key, or deletes it where v is nil, and says whether that changed
// anything.
func (o *object) put(key string, v value) bool {
	old, ok := o.values[key]
	switch {
	case v == nil && !ok, v != nil && ok && equal(old, v):
		return false
	case v == nil:
		delete(o.values, key)
		o.keys = slices.DeleteFunc(o.keys, func(k string) bool { return k == key })
		return true
	}
	o.set(key, v)
	return true
}

// set sets key, whatever was there. A new key goes last.
func (o *object) set(key string, v value) {
	if _, ok := o.values[key]; !ok {
		o.keys = append(o.keys, key)
	}
	o.values[key] = v
}

// str gives the string at key, "" where there is none.
func (o *object) str(key string) string {
	s, _ := o.values[key].(text)
	return string(s)
}

// flag says whether key is true.
func (o *object) flag(key string) bool { return o.values[key] == literal("true") }

// integer gives the whole number at key, whether it is spelled as a number or,
// as cosa did until 2019, as a string.
func (o *object) integer(key string) (int64, bool) {
	switch v := o.values[key].(type) {
	case text:
		n, err := strconv.ParseInt(string(v), 10, 64)
		return n, err == nil
	case literal:
		return v.integer()
	}
	return 0, false
}

// time gives the time at key, zero where there is none that can be read.
func (o *object) time(key string) time.Time {
	t, err := time.Parse(time.RFC3339, o.str(key))
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// timestamp spells a time as cosa does: UTC, whole seconds.
func timestamp(t time.Time) text { return text(t.UTC().Format(time.RFC3339)) }

// integer gives a whole number, also one that a program with nothing but
// floating point spelled, such as 1.0 or 1e9.
func (l literal) integer() (int64, bool) {
	if n, err := strconv.ParseInt(string(l), 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(string(l), 64)
	whole := err == nil && f == math.Trunc(f) && f >= math.MinInt64 && f < math.MaxInt64
	if !whole {
		return 0, false
	}
	return int64(f), true
}

// strings gives the texts of the array at key; other elements are left out.
func (o *object) strings(key string) []string {
	var all []string
	for _, v := range o.items(key) {
		if s, ok := v.(text); ok {
			all = append(all, string(s))
		}
	}
	return all
}

// items gives the elements of the array at key.
func (o *object) items(key string) []value {
	if a, ok := o.values[key].(*array); ok {
		return a.items
	}
	return nil
}

// equal compares as Python compares dicts and lists: the order of keys does
// not matter. Numbers are equal when they are spelled the same.
func equal(a, b value) bool { return canonical(a) == canonical(b) }

// canonical gives the same string for equal values.
func canonical(v value) string { return string(appendValue(nil, sorted(v), compact)) }

// sorted gives a deep copy with the keys of all objects in order.
func sorted(v value) value { return transform(v, slices.Sort[[]string]) }

// clone gives a deep copy.
func clone(v value) value { return transform(v, func([]string) {}) }

func (o *object) clone() *object { return o.transform(func([]string) {}) }

func (o *object) transform(order func(keys []string)) *object {
	c := &object{keys: slices.Clone(o.keys), values: make(map[string]value, len(o.keys))}
	order(c.keys)
	for k, member := range o.values {
		c.values[k] = transform(member, order)
	}
	return c
}

// transform gives a deep copy of v where order arranged the keys of each object.
func transform(v value, order func(keys []string)) value {
	switch v := v.(type) {
	case *object:
		return v.transform(order)
	case *array:
		a := &array{items: make([]value, len(v.items))}
		for i, item := range v.items {
			a.items[i] = transform(item, order)
		}
		return a
	}
	return v
}

// typeName gives the JSON name of a value's type.
func typeName(v value) string {
	switch v := v.(type) {
	case *object:
		return "object"
	case *array:
		return "array"
	case text:
		return "string"
	case literal:
		switch v {
		case "true", "false":
			return "boolean"
		case "null":
			return "null"
		}
		return "number"
	}
	return "nothing"
}
