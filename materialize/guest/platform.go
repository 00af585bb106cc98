package guest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"cosafs/materialize"
)

// FieldWidth is the size in bytes of the platform field, the end of the boot
// entry's options. It is wide enough for the kernel arguments that some
// platforms want beside their id.
const FieldWidth = 256

// PlatformField gives the platform field for a platform id as Ignition knows
// it, and further kernel arguments. The spaces that fill it up mean nothing to
// boot loaders and kernel.
func PlatformField(id string, kargs ...string) ([]byte, error) {
	field := strings.Join(append([]string{"ignition.platform.id=" + id}, kargs...), " ")
	if len(field) > FieldWidth || strings.ContainsAny(field, "\n\r") {
		return nil, fmt.Errorf("platform field %q: must be one line of at most %d bytes", field, FieldWidth)
	}
	return []byte(field + strings.Repeat(" ", FieldWidth-len(field))), nil
}

// findPlatform adds the field to the boot entry and says where on the disk it
// lies.
func (s *steps) findPlatform(disk string) ([]materialize.Extent, error) {
	path, err := onlyOne(filepath.Join(targetDir, "boot/loader/entries/*.conf"))
	if err != nil {
		return nil, err
	}
	field, err := PlatformField("metal")
	if err != nil {
		return nil, err
	}
	entry, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	entry, at, err := addField(entry, field)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := os.WriteFile(path, entry, 0o644); err != nil {
		return nil, err
	}
	return locate(path, at, int64(len(field)), base(disk), boot)
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

// number reads a decimal file of the kernel.
func number(path string) (int64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
}
