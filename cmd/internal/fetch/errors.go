package fetch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"cosafs/backend"
	"cosafs/materialize"
)

// explain says what to do about an error of the store, or of the disk, in the
// fetch of a file.
func explain(key backend.Key, err error) error {
	var known *materialize.Failure
	op := "fetch " + string(key)
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %w", op, err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return materialize.Fail(materialize.ClassSpace, op, "free space, for example with cosafs prune, and run the same again: what has come is kept", err)
	case errors.Is(err, fs.ErrPermission):
		return materialize.Fail(materialize.ClassConfig, op, "check the credentials for the store, and that this directory may be written", err)
	case errors.Is(err, fs.ErrNotExist):
		return materialize.Fail(materialize.ClassConfig, op, "the store does not have it, or no longer: ask whoever publishes there",
			materialize.Says(fs.ErrNotExist, "it is not in the store"))
	case errors.Is(err, materialize.ErrCorrupt):
		return materialize.Fail(materialize.ClassNetwork, op, "the store holds other bytes than its meta.json records: ask whoever publishes there", err)
	case errors.Is(err, backend.ErrChanged):
		return materialize.Fail(materialize.ClassNetwork, op, "somebody replaces it in the store right now; try again later", err)
	case !backend.Final(err):
		return materialize.Fail(materialize.ClassNetwork, op, "run the same again: what has come is kept", err)
	}
	return fmt.Errorf("%s: %w", op, err)
}
