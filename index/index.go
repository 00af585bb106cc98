// Package index reads and writes the documents of a coreos-assembler build
// directory: builds.json ([Builds]), meta.json ([Meta]) and commitmeta.json
// ([CommitMeta]). It also knows how artifacts are named ([FileName]).
//
// Documents are lossless. What was parsed and not changed is written back byte
// for byte; after a change unknown keys, the order of keys and the spelling of
// numbers stay, and the layout is that of Python's json.dump(indent=4), which
// coreos-assembler ("cosa") uses. Reading is lenient, as documents since 2018
// differ; [Meta.Validate] is as strict as cosa's schema.
//
// The package is pure: callers fetch the bytes and store them. Documents may be
// read by several goroutines, but only while none of them changes one.
package index

import (
	"errors"
	"strings"
)

// Sentinels of this package. Names that can't be file names are [io/fs.ErrInvalid],
// list formats that cosa has no reader for are [errors.ErrUnsupported].
var (
	// ErrSyntax means that bytes are not JSON: cut short, or damaged. A file that
	// cosa is about to finish writing looks so for a moment (it renames first and
	// flushes afterwards), so a reader may try again.
	ErrSyntax = errors.New("malformed JSON")
	// ErrSchema means that a document is JSON, but not of the form cosa gives it.
	ErrSchema = errors.New("not as cosa's schema wants it")
	// ErrConflict means that two versions of a meta.json describe different
	// builds and can't be merged.
	ErrConflict = errors.New("they describe different builds")
)

// A BuildID names a build; it is the name of its directory too.
type BuildID string

// An Arch is an RPM base architecture, such as x86_64.
type Arch string

// A Kind is a kind of artifact: a key of meta.json's images, such as qemu.
type Kind string

// maxName is the longest file name that Linux file systems take, in bytes.
const maxName = 255

// ValidName says whether name can be the base name of a file and so can't lead
// out of its directory. Control characters are refused as well, because they
// would forge lines in lists and logs.
func ValidName(name string) bool {
	if name == "" || name == "." || name == ".." || len(name) > maxName {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool { return r == '/' || r < ' ' || r == 0x7f })
}

// Transient says whether a file of a build's directory is none of its own: a lock,
// or the temporary one by which cosa replaces a JSON document (tmp and eight random
// characters), which cosa's uploads sweep along.
func Transient(name string) bool {
	return strings.HasPrefix(name, ".") || (len(name) == 11 && strings.HasPrefix(name, "tmp") && !strings.Contains(name, "."))
}
