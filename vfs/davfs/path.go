package davfs

import (
	"fmt"
	"io/fs"
	"net/url"
	"strings"
)

// cleanPath gives the path below the root that a request is for, without slashes
// at its ends, and whether it ended in one. What is ambiguous is refused with
// fs.ErrInvalid rather than mended, so that a path means the same here and for
// every proxy that checks paths: dots, empty elements, encoded slashes, backslashes.
func cleanPath(u *url.URL) (path string, slash bool, err error) {
	path, ok := strings.CutPrefix(u.Path, "/")
	if !ok || strings.Contains(strings.ToUpper(u.RawPath), "%2F") {
		return "", false, fmt.Errorf("path %q: %w", u.EscapedPath(), fs.ErrInvalid)
	}
	if path == "" {
		return "", true, nil
	}
	path, slash = strings.CutSuffix(path, "/")
	if !validPath(path) {
		return "", false, fmt.Errorf("path %q: %w", u.EscapedPath(), fs.ErrInvalid)
	}
	return path, slash, nil
}

// validPath says whether a request can be for the path, or the name.
func validPath(path string) bool {
	return path != "." && fs.ValidPath(path) && !strings.ContainsAny(path, "\\\x00")
}

// href gives the absolute, encoded path of what is at path.
func href(path string, collection bool) string {
	b := appendEscaped([]byte{'/'}, path)
	if collection && path != "" {
		b = append(b, '/')
	}
	return string(b)
}

// appendEscaped percent-encodes all but slashes and what RFC 3986 calls
// unreserved, so that the result needs no care in XML, HTML or a header.
func appendEscaped(b []byte, path string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(path) {
		if c := path[i]; unreserved(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return b
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~/", c) >= 0
}
