package scratch

import (
	"path"
	"strings"
)

// contentType gives the type of what builds and their configurations are made
// of, by the same table on every machine. The rest is bytes.
func contentType(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".html", ".htm":
		return "text/html; charset=utf-8"
	case ".txt", ".log", ".md", ".conf", ".cfg", ".ini", ".repo", ".sh", ".ks", ".bu", ".ign":
		return "text/plain; charset=utf-8"
	case ".json":
		return "application/json"
	case ".yaml", ".yml":
		return "application/yaml"
	case ".xml":
		return "application/xml"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".png":
		return "image/png"
	case ".jpg", ".jpeg":
		return "image/jpeg"
	case ".svg":
		return "image/svg+xml"
	case ".pdf":
		return "application/pdf"
	case ".gz", ".tgz":
		return "application/gzip"
	case ".xz":
		return "application/x-xz"
	case ".zst":
		return "application/zstd"
	case ".zip":
		return "application/zip"
	case ".tar":
		return "application/x-tar"
	case ".iso":
		return "application/vnd.efi.iso"
	case ".rpm":
		return "application/x-rpm"
	case ".qcow2":
		return "application/x-qemu-disk"
	}
	return "application/octet-stream"
}
