package index

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// Validate checks the document against cosa's schema, version 1, as cosa does on
// every read and write. The error names everything that is wrong and wraps
// [ErrSchema]. Unknown images pass, unknown top-level keys do not.
func (m *Meta) Validate() error { return errors.Join(schemaV1.check("meta.json", m.doc.root)...) }

// check gives everything that is wrong with v, which lies at path.
func (r *rule) check(path string, v value) []error {
	if r.typ != "" && !isType(v, r.typ) {
		return []error{violation(path, "is %s instead of %s", typeName(v), r.typ)}
	}
	switch v := v.(type) {
	case text:
		return r.checkText(path, string(v))
	case *object:
		return r.checkObject(path, v)
	case *array:
		return r.checkArray(path, v)
	}
	return nil
}

func (r *rule) checkText(path, s string) []error {
	var wrong []error
	if n := utf8.RuneCountInString(s); n < r.min {
		wrong = append(wrong, violation(path, "has %d characters, fewer than %d", n, r.min))
	}
	if r.pattern != nil && !r.pattern.MatchString(s) {
		wrong = append(wrong, violation(path, "does not match %s", r.pattern))
	}
	return wrong
}

func (r *rule) checkObject(path string, o *object) []error {
	var wrong []error
	for _, key := range r.required {
		if _, ok := o.values[key]; !ok {
			wrong = append(wrong, violation(path, "%s is missing", key))
		}
	}
	for _, key := range o.keys {
		member, known := r.props[key]
		switch {
		case known:
			wrong = append(wrong, member.check(path+": "+key, o.values[key])...)
		case r.closed:
			wrong = append(wrong, violation(path, "%q is not a key of the schema", key))
		case r.rest != nil:
			wrong = append(wrong, r.rest.check(path+": "+key, o.values[key])...)
		}
	}
	return wrong
}

func (r *rule) checkArray(path string, a *array) []error {
	var wrong []error
	if r.items == nil {
		return nil
	}
	for i, item := range a.items {
		wrong = append(wrong, r.items.check(fmt.Sprintf("%s[%d]", path, i), item)...)
	}
	return wrong
}

// isType says whether v is of a type of JSON schema. 1.0 is an integer there.
func isType(v value, want string) bool {
	if want != "integer" {
		return typeName(v) == want
	}
	l, ok := v.(literal)
	if !ok {
		return false
	}
	_, ok = l.integer()
	return ok
}

func violation(path, format string, args ...any) error {
	return fmt.Errorf("%s %s: %w", path, fmt.Sprintf(format, args...), ErrSchema)
}
