package install

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
)

// FieldWidth is the size in bytes of the platform field, the end of the boot
// entry's options. It is wide enough for the kernel arguments that some
// platforms want beside their id.
const FieldWidth = 256

// A Field is a padded part of a file that is patched for each platform.
type Field struct {
	Path           string
	Offset, Length int64 // bytes
}

// PlatformField gives the platform field for a platform id as Ignition knows
// it, and further kernel arguments. The spaces that fill it up mean nothing to
// boot loaders and kernel. What doesn't fit is fs.ErrInvalid.
func PlatformField(id string, kargs ...string) ([]byte, error) {
	all := append([]string{"ignition.platform.id=" + id}, kargs...)
	field := strings.Join(all, " ")
	if len(field) > FieldWidth || hasControl(all) {
		return nil, fmt.Errorf("platform field %q: must be one line of at most %d bytes: %w", field, FieldWidth, fs.ErrInvalid)
	}
	return []byte(field + strings.Repeat(" ", FieldWidth-len(field))), nil
}

// hasControl says whether a text has line ends or such in it.
func hasControl(texts []string) bool {
	return slices.ContainsFunc(texts, func(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) })
}

// AddPlatform adds the platform field, that of metal, to the one boot entry of a
// boot file system.
func AddPlatform(bootDir string) (Field, error) {
	path, err := onlyOne(filepath.Join(bootDir, "loader/entries/*.conf"))
	if err != nil {
		return Field{}, err
	}
	field, err := PlatformField("metal")
	if err != nil {
		return Field{}, err
	}
	entry, err := os.ReadFile(path)
	if err != nil {
		return Field{}, err
	}
	entry, at, err := addField(entry, field)
	if err != nil {
		return Field{}, fmt.Errorf("%s: %w", path, err)
	}
	return Field{Path: path, Offset: at, Length: FieldWidth}, os.WriteFile(path, entry, 0o644)
}

// WritePlatforms keeps the table of platforms.yaml, as JSON, where
// coreos-installer looks for it. An empty one is left out, as cosa does.
func WritePlatforms(bootDir string, table []byte) error {
	if len(table) == 0 || string(table) == "{}" {
		return nil
	}
	dir := filepath.Join(bootDir, "coreos")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "platforms.json"), append(bytes.Clone(table), '\n'), 0o644)
}

// addField puts the field at the end of the options of a boot entry and says
// where.
func addField(entry, field []byte) (changed []byte, at int64, err error) {
	start := bytes.Index(append([]byte("\n"), entry...), []byte("\noptions "))
	if start < 0 {
		return nil, 0, fmt.Errorf("boot entry without options: %q", entry)
	}
	end := bytes.IndexByte(entry[start:], '\n')
	if end < 0 {
		end = len(entry) - start
	}
	var b bytes.Buffer
	b.Write(entry[:start+end])
	b.WriteByte(' ')
	at = int64(b.Len())
	b.Write(field)
	b.Write(entry[start+end:])
	return b.Bytes(), at, nil
}

// onlyOne gives the one path that matches.
func onlyOne(pattern string) (string, error) {
	found, err := filepath.Glob(pattern)
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", fmt.Errorf("%s: want one file, have %d", pattern, len(found))
	}
	return found[0], nil
}
