package davfs

import (
	"path"
	"strings"
)

// contentType gives a file's type by its name. The table is our own: the host's
// (mime.TypeByExtension) calls an ISO image a CD on one machine and nothing on
// another, and a guess by content would open the file.
func contentType(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".json":
		return "application/json"
	case ".gz", ".tgz":
		return "application/gzip"
	case ".xz":
		return "application/x-xz"
	case ".zst":
		return "application/zstd"
	case ".zip":
		return "application/zip"
	case ".tar", ".ova", ".ociarchive":
		return "application/x-tar"
	case ".iso":
		return "application/x-iso9660-image"
	case ".txt", ".log", ".sig", ".sha256":
		return "text/plain; charset=utf-8"
	case "":
		return typeWithoutExtension(path.Base(name))
	}
	return "application/octet-stream"
}

// typeWithoutExtension is that of what .cosafs holds for people.
func typeWithoutExtension(base string) string {
	switch base {
	case "status", "log", "plan":
		return "text/plain; charset=utf-8"
	case "progress":
		return "application/json"
	}
	return "application/octet-stream"
}
