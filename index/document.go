package index

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// A document is a JSON object with the bytes it was parsed from.
type document struct {
	root *object
	raw  []byte // nil once anything changed
}

// parseDocument reads the file called name, which is for errors only.
func parseDocument(name string, data []byte) (document, error) {
	v, err := parse(data, 0)
	if err != nil {
		return document{}, fmt.Errorf("%s: %w", name, err)
	}
	root, ok := v.(*object)
	if !ok {
		return document{}, fmt.Errorf("%s: %w: %s instead of an object", name, ErrSchema, typeName(v))
	}
	return document{root: root, raw: bytes.Clone(data)}, nil
}

// bytes gives what was parsed, or cosa's serialisation after a change.
func (d *document) bytes() []byte {
	if d.raw != nil {
		return bytes.Clone(d.raw)
	}
	return appendValue(nil, d.root, 0)
}

// touch notes that the document is no longer what was parsed.
func (d *document) touch(changed bool) {
	if changed {
		d.raw = nil
	}
}

func (d *document) put(key string, v value) { d.touch(d.root.put(key, v)) }

// clone gives a copy that can be changed on its own.
func (d *document) clone() document { return document{root: d.root.clone(), raw: d.raw} }

// toValue turns a Go value into one that lies depth levels deep in a document.
func toValue(v any, depth int) (value, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return parse(data, depth)
}
