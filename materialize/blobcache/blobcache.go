// Package blobcache keeps bytes that exist elsewhere: objects of stores, range by
// range as they are read, and objects that are computed from others.
//
// An object is a sparse file of its size and a map that says which granules of it
// are there. Many ranges are fetched at once; a range is written to the file as it
// streams in, so memory is bounded whatever the size of the object. What is read
// next is guessed from what was read (see readahead.go). When all granules are
// there and the whole has the recorded sha256, the file can be read by anyone who
// has its descriptor.
//
// Losing the process, or the power, at any instant costs at most a few seconds of
// fetched bytes: a granule counts only once it is on the disk, and is checked
// before it is used where the last stop was unclean.
//
// The cache knows neither stores nor builds. Who wants an object brings the
// [Origin] to fetch it from.
package blobcache

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"

	"cosafs/materialize"
)

var (
	// ErrChanged means that an Origin's object is no longer the version that was
	// asked for. Origins wrap it.
	ErrChanged = errors.New("the object was replaced by another version")
	// ErrCorrupt means that an object does not have its sha256, also after it was
	// fetched again. It comes inside a [materialize.Failure].
	ErrCorrupt = materialize.ErrCorrupt
)

// errClosed answers readers after the cache's Close.
var errClosed = fmt.Errorf("cache: %w", fs.ErrClosed)

// An Object is one version of one object of a store, or something computed.
type Object struct {
	ID     string // names the bytes: equal IDs have equal bytes
	Name   string // for people
	Size   int64  // bytes; negative where [Cache.Make] is to find out
	SHA256 string // hex, "" if not known
}

// An Origin gives the bytes of one version of one object. It is safe for
// concurrent use.
type Origin interface {
	// Open gives exactly n bytes at off, or an error: ErrChanged wrapped where the
	// object has another version by now. The reader ends with an error when ctx
	// does. Nobody tries again after an error but a later read.
	Open(ctx context.Context, off, n int64) (io.ReadCloser, error)
}

// Verify says when an object's sha256 is checked.
type Verify string

const (
	// VerifyComplete checks the sha256 when all bytes are there. Reads before that
	// rely on the origin's version. It is the default.
	VerifyComplete Verify = "complete"
	// VerifyOpen reads nothing to anybody before all bytes are there and have the
	// sha256. What was complete already is read once more when it is opened.
	VerifyOpen Verify = "open"
)

// Config says where a cache is and how much it may take.
type Config struct {
	Dir      string       // made if it isn't there; nothing else may be in it
	Quota    int64        // bytes on disk; 0 = 20 GiB
	Floor    int64        // bytes that the file system keeps free; 0 = 1 GiB, negative = none
	Parallel int          // ranges that are fetched ahead at once; 0 = 16
	Verify   Verify       // "" = VerifyComplete
	Logger   *slog.Logger // nil = silence
}

// Defaults of Config. perf.md: fewer than 16 ranges at once cost throughput.
const (
	defaultQuota    = 20 << 30
	defaultFloor    = 1 << 30
	defaultParallel = 16
)

// withDefaults fills what is zero.
func (cfg Config) withDefaults() (Config, error) {
	cfg.Quota = cmp.Or(cfg.Quota, defaultQuota)
	cfg.Floor = cmp.Or(cfg.Floor, defaultFloor)
	cfg.Parallel = cmp.Or(cfg.Parallel, defaultParallel)
	cfg.Verify = cmp.Or(cfg.Verify, VerifyComplete)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case cfg.Dir == "":
		return cfg, fmt.Errorf("cache without a directory: %w", fs.ErrInvalid)
	case cfg.Quota < 0 || cfg.Parallel < 0:
		return cfg, fmt.Errorf("cache %s: quota and parallel must not be negative: %w", cfg.Dir, fs.ErrInvalid)
	case cfg.Verify != VerifyComplete && cfg.Verify != VerifyOpen:
		return cfg, fmt.Errorf("cache %s: verify is %q or %q, not %q: %w", cfg.Dir, VerifyComplete, VerifyOpen, cfg.Verify, fs.ErrInvalid)
	}
	return cfg, nil
}

// spaceFailure says that there is no room for n more bytes.
func spaceFailure(name, hint string, err error) error {
	return materialize.Fail(materialize.ClassSpace, "cache "+name, hint, err)
}

// corruptFailure says that name is not what it should be, whatever was tried.
func corruptFailure(name, got, want string) error {
	return materialize.Fail(materialize.ClassConfig, "verify "+name,
		"the store's copy is damaged: tell whoever keeps it, or upload it again",
		fmt.Errorf("sha256 is %s instead of %s: %w", got, want, ErrCorrupt))
}
