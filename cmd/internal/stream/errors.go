package stream

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"cosafs/materialize"
	"cosafs/materialize/blobcache"
	"cosafs/vfs"
)

// errOffline is why nothing is asked of a store.
var errOffline = errors.New("offline: stores are not asked")

// errNoWorkdir answers what only a build directory can do.
func errNoWorkdir(op string) error {
	return materialize.Fail(materialize.ClassConfig, op, "make one with: cosafs init CONFIG",
		materialize.Says(errors.ErrUnsupported, "there is no build directory here, only stores"))
}

// storeFailure says what a person can do about a store that did not give what
// was asked of it. Refused credentials are no absence, and neither is silence.
func storeFailure(op string, src *source, err error) error {
	if err == nil || isDone(err) {
		return err
	}
	class, hint := remedy(src, err)
	return materialize.Fail(class, op, hint, fmt.Errorf("%s: %w", src.name, err))
}

// remedy says what kind of thing went wrong with a store, and what to do.
func remedy(src *source, err error) (materialize.Class, string) {
	switch {
	case errors.Is(err, errOffline):
		return materialize.ClassNetwork, "run it without --offline"
	case errors.Is(err, fs.ErrPermission):
		return materialize.ClassConfig, "check the credentials for " + src.name
	case errors.Is(err, fs.ErrNotExist):
		return materialize.ClassConfig, "check the URL " + src.name
	}
	return materialize.ClassNetwork, "try again when the store answers; see: cosafs status"
}

// readFailure translates an error of reading an object of a store, and says
// whether the catalog's word for the object is outdated.
func readFailure(name string, src *source, err error) (failure error, outdated bool) {
	_, told := errors.AsType[*materialize.Failure](err)
	switch {
	case err == nil, told:
		return err, false
	case errors.Is(err, blobcache.ErrChanged):
		return fmt.Errorf("%s: the store has another version by now: %w: %w", name, vfs.ErrStale, err), true
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: the store does not have it any more: %w: %w", name, vfs.ErrStale, err), true
	case errors.Is(err, blobcache.ErrCorrupt):
		return corrupt(name, src, err), false
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return materialize.Fail(materialize.ClassSpace, "cache "+name, "free space, or give the cache a smaller quota", err), false
	}
	return storeFailure("read "+name, src, err), false
}

// wrongSize is the error of a file that has another size than recorded.
func wrongSize(got, want int64) error {
	return fmt.Errorf("%d bytes instead of %d: %w", got, want, materialize.ErrCorrupt)
}

// corrupt says that a store holds other bytes than meta.json records.
func corrupt(name string, src *source, err error) error {
	return materialize.Fail(materialize.ClassConfig, "read "+name, "tell whoever keeps the store, or upload the file again: cosafs upload --force",
		fmt.Errorf("%s holds another file than meta.json records: %w", src.name, err))
}

// isDone says whether somebody gave up, rather than something failed.
func isDone(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, materialize.ErrCancelled) || errors.Is(err, materialize.ErrAbandoned)
}

// isAbsent says whether err proves that something is not there.
func isAbsent(err error) bool { return errors.Is(err, fs.ErrNotExist) }
