package backend

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// A Key names an object: parts joined by single slashes, relative to the root
// of the store, as "41.20250102.dev.1/x86_64/meta.json". Only [ValidKey] ones
// reach a store's insides.
type Key string

// ValidKey says whether s can be a key: UTF-8, not empty, not absolute, without
// NUL and without parts that are empty, "." or "..".
func ValidKey(s string) bool {
	return s != "." && fs.ValidPath(s) && !strings.ContainsRune(s, 0)
}

// Check gives fs.ErrInvalid for a key that is not valid.
func (k Key) Check() error {
	if !ValidKey(string(k)) {
		return fmt.Errorf("key %q: %w", string(k), fs.ErrInvalid)
	}
	return nil
}

// CheckPrefix is Check for the prefix of a list, where "" is the root.
func (k Key) CheckPrefix() error {
	if k == "" {
		return nil
	}
	return k.Check()
}

// Join gives the key of name below k.
func (k Key) Join(name string) Key { return Key(path.Join(string(k), name)) }

// Dir gives the key of the directory that k lies in, "" for the root.
func (k Key) Dir() Key {
	if d := path.Dir(string(k)); d != "." {
		return Key(d)
	}
	return ""
}

// Base gives the last part.
func (k Key) Base() string { return path.Base(string(k)) }
