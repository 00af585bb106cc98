package upload

import "path"

// How long caches may keep an object, as cosa's buildupload says: artifacts for a
// year, documents for five minutes.
const (
	immutable = "max-age=31536000"
	mutable   = "max-age=300"
)

// contentType gives the media type that cosa's buildupload sends for a file,
// which goes by the last suffix alone.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".json":
		return "application/json"
	case ".tar":
		return "application/x-tar"
	case ".xz":
		return "application/x-xz"
	case ".gz":
		return "application/gzip"
	case ".iso":
		return "application/x-iso9660-image"
	}
	return "application/octet-stream"
}
