// Package backend says what a place for bytes is: the [Store] that every
// directory, bucket and web server presents, the [Writer] that some of them are
// as well, and decorators over them.
//
// The root of a store's keys is the directory that holds builds.json. Locks, the
// link "latest" and whatever else only a workdir has are not part of this
// contract; they belong to dirstore's own type.
//
// Package backendtest has the suite that every implementation passes.
package backend

import (
	"context"
	"crypto/sha256"
	"io"
	"iter"
	"time"
)

// A Store gives the objects of one place. All methods but Close are safe for
// concurrent use, and all of them return soon after ctx ends, with its error.
//
// Errors are wrapped; test them with errors.Is. Absence is a statement: an
// error is fs.ErrNotExist only if the store answered, to a request that it
// accepted as authorised, that there is no such object. Refused credentials (401,
// 403) are fs.ErrPermission; overload, server errors, timeouts and cut
// connections are none of the sentinels. A caller starts a build on absence
// and on nothing else. A key that is not valid gives fs.ErrInvalid.
type Store interface {
	// Stat describes an object. A directory is no object: fs.ErrNotExist.
	Stat(ctx context.Context, key Key) (Info, error)

	// Open gives exactly the bytes of the range, all of one version of the
	// object. version is an [Info]'s Version: an object that is no longer
	// that version gives ErrChanged; "" takes the present one. A range that
	// reaches past the end gives ErrRange. Both may come from Open or, where the
	// store can't know sooner, from a Read; bytes of two versions never mix.
	//
	// A body that ends early fails with an error that is not io.EOF. Its Read
	// fails with ctx's error once ctx has ended, and with fs.ErrClosed after
	// Close. The caller closes it. Close may be called while another goroutine
	// reads, and more than once; nothing else of a body may run concurrently.
	Open(ctx context.Context, key Key, r Range, version string) (io.ReadCloser, error)

	// List gives what lies one level below prefix ("" is the root), objects and
	// directories together in byte order of their names. A prefix with nothing
	// below is an empty list, and a directory that is listed may be empty.
	// An error is the last pair and ends the list, ctx's error too; until it has
	// come to its end without one, a list proves the absence of nothing.
	// The iterator may be used again and then asks the store again. Stores
	// without enumeration give errors.ErrUnsupported.
	List(ctx context.Context, prefix Key) iter.Seq2[Info, error]

	// Properties says what the store can do. It is cheap and never changes.
	Properties() Properties

	// Close frees what the store holds. It is called once, when no other call
	// runs and all bodies are closed.
	Close() error
}

// A Writer is a [Store] that can be written. Find it with [As].
type Writer interface {
	// Put stores an object whole or not at all: readers see the old object or
	// the new one, and after Put returned nil the new one survives a crash. An
	// existing object is replaced if cond allows. Directories above it come to
	// be by themselves.
	//
	// A condition that does not hold gives ErrCondition. Of several Puts that
	// want the same condition on the same version exactly one succeeds, in all
	// processes and on all machines. A source with another digest than it says
	// gives ErrDigest, one that is shorter io.ErrUnexpectedEOF; nothing is stored then.
	//
	// After any other error it is unknown whether the object was stored: an
	// unconditional Put may simply be repeated, the caller of a conditional one
	// reads back what is there now.
	//
	// The source belongs to the caller again when Put returns.
	Put(ctx context.Context, key Key, src Source, cond Cond) (Info, error)

	// Delete removes an object. Without a condition it is idempotent: no object,
	// no error. With IfMatch a missing or different object gives ErrCondition.
	// IfAbsent makes no sense here and gives fs.ErrInvalid.
	Delete(ctx context.Context, key Key, cond Cond) error
}

// A Walker is a [Store] that lists whole trees at once; see [Walk].
type Walker interface {
	// Walk gives the objects at any depth below prefix ("" is the root), in byte
	// order of their keys and without directories. What is said of [Store].List
	// holds otherwise.
	Walk(ctx context.Context, prefix Key) iter.Seq2[Info, error]
}

// Info describes an object, or a directory of a list.
type Info struct {
	Key     Key
	Size    int64     // bytes
	ModTime time.Time // when the store got these bytes, as far as it knows
	// Version changes whenever the bytes do; an ETag, for example. It means
	// something to the store that gave it only. In a list it may be "".
	Version string
	// SHA256 is the digest of the bytes where the store keeps one, else zero. In a
	// list it may be zero.
	SHA256 [sha256.Size]byte
	// Dir marks a directory in a list; it has a Key and nothing else.
	Dir bool
}

// Properties say what a store can do, so that callers need no type switches.
type Properties struct {
	Parallel   int  // requests worth running at once; 0 = no limit
	Ranges     bool // a range costs what it is long, not what lies before it
	Lists      bool // List works
	Conditions bool // conditions hold among all writers of the store; else they give errors.ErrUnsupported
}

// As finds the first layer that is a T: s itself, or what it decorates.
// Decorators have a method Unwrap() Store. One that decorates writing is a
// Writer itself, if the store below is one, so that no caller slips past it.
func As[T any](s Store) (T, bool) {
	for s != nil {
		if t, ok := s.(T); ok {
			return t, true
		}
		u, ok := s.(interface{ Unwrap() Store })
		if !ok {
			break
		}
		s = u.Unwrap()
	}
	var none T
	return none, false
}
