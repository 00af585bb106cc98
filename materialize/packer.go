package materialize

import (
	"context"
	"io"
	"os"
	"slices"
	"strings"
)

// A Packer compresses files and undoes it. Formats are called by the suffixes of
// their files: gz, xz, zst and zip. It is safe for concurrent use.
type Packer interface {
	// Pack compresses r to w. Equal bytes and options give equal output.
	Pack(ctx context.Context, w io.Writer, r io.Reader, o PackOptions) error
	// Unpack gives what a file of the format holds. Damage is an error of a Read.
	// Closing it does not close f.
	Unpack(ctx context.Context, f *os.File, format string) (io.ReadCloser, error)
}

// PackOptions say how to compress.
type PackOptions struct {
	Format string
	Name   string // of the file, for formats that keep it
	Level  int    // of the format's tool; 0 = cosa's
	Task   *Task
}

// Plain is what stands in a [Target]'s kind for a format where the artifact is
// recorded compressed and its uncompressed bytes are meant.
const Plain = "plain"

// formats are cosa's compressors with the suffixes that it gives their files.
func formats() map[string]string {
	return map[string]string{"gzip": "gz", "xz": "xz", "zstd": "zst", "zip": "zip"}
}

// isFormat says whether files may have the suffix because they are compressed.
func isFormat(suffix string) bool {
	return slices.Contains([]string{"gz", "xz", "zst", "zip"}, suffix)
}

// CutFormat takes a compression's suffix off a file's name.
func CutFormat(name string) (plain, format string, ok bool) {
	i := strings.LastIndexByte(name, '.')
	if i <= 0 || !isFormat(name[i+1:]) {
		return name, "", false
	}
	return name[:i], name[i+1:], true
}

// PackedKind gives the kind of an artifact in another compression than it has:
// metal.xz. format may be [Plain].
func PackedKind(kind, format string) string { return kind + "." + format }

// SplitKind undoes [PackedKind]; format is "" for an artifact as it is recorded.
func SplitKind(kind string) (plain, format string) {
	plain, format, _ = strings.Cut(kind, ".")
	return plain, format
}

// Packed says whether the artifact is one that cosa compress made: it can be
// uncompressed. One that is compressed by nature is not.
func (a Artifact) Packed() bool {
	_, _, ok := CutFormat(a.File)
	return ok && a.Inside != nil && !a.SkipCompression
}

// Content gives the digest of what the artifact holds, however it is compressed now.
func (a Artifact) Content() string {
	if a.Packed() {
		return a.Inside.SHA256
	}
	return a.SHA256
}
