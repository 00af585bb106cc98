package upload

import (
	"errors"
	"fmt"
	"io/fs"

	"cosafs/backend"
	"cosafs/cmd/internal/cas"
	"cosafs/materialize"
)

func unconditional(err error) error { return cas.Unconditional(err) }

// missing says that something is not in the workdir.
func missing(op, hint, format string, args ...any) error {
	return materialize.Fail(materialize.ClassConfig, op, hint, materialize.Says(fs.ErrNotExist, format, args...))
}

// published says that an artifact of a published build would change.
func published(it *item, why string) error {
	return materialize.Fail(materialize.ClassConfig, fmt.Sprintf("upload %s", it.key),
		"give the new bytes a new build id; --force replaces what others may have fetched already",
		materialize.Says(fs.ErrExist, "%s", why))
}

// explainSend tells what to do about a file that could not be sent.
func explainSend(it *item, err error) error {
	switch {
	case errors.Is(err, backend.ErrDigest):
		return materialize.Fail(materialize.ClassConfig, fmt.Sprintf("upload %s", it.key),
			"the file changed or is damaged: see cosafs verify, make it again", err)
	case errors.Is(err, errors.ErrUnsupported):
		return unconditional(err)
	case errors.Is(err, fs.ErrPermission):
		return materialize.Fail(materialize.ClassConfig, fmt.Sprintf("upload %s", it.key),
			"check the credentials, and that they may write there", err)
	}
	return fmt.Errorf("upload %s: %w", it.key, err)
}
