package s3server

import (
	"crypto/md5" //nolint:gosec // G501: what S3 has for an ETag
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Adopt gives a file that was written into a [Server]'s Dir past the server
// the ETag that the server would have given it; without one no client can pin a
// version. A file that was adopted before has to be adopted again when its bytes
// have changed.
func Adopt(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("adopt: %w", err)
	}
	return SetETag(path, fmt.Sprintf("%x", md5.Sum(data))) //nolint:gosec // G401: no secret
}

// SetETag gives a file any ETag: for files too big to hash.
func SetETag(path, tag string) error {
	// The server's attribute has the quotes of the header.
	if err := unix.Setxattr(path, "user.etag", []byte(`"`+tag+`"`), 0); err != nil {
		return fmt.Errorf("set the ETag of %s: %w", path, err)
	}
	return nil
}
