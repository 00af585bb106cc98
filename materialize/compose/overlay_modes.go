package compose

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"cosafs/materialize"
)

// strippedBits are those that overlays lose: group and other may not write, and
// nothing changes ids. A checkout made under a loose umask gives the same tree.
const strippedBits = 0o6022

// layerModes gives an `ostree commit --statoverride` file that strips modes of
// a directory tree and then applies the tree's own statoverride file: lines of
// a decimal mode, with "=" in front to replace instead of add, and a path.
func layerModes(dir string) (string, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", err
	}
	own, err := readOverrides(filepath.Join(dir, "statoverride"))
	if err != nil {
		return "", err
	}
	var out strings.Builder
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := "/" + strings.TrimPrefix(strings.TrimPrefix(path, dir), "/")
		if d.Type()&fs.ModeSymlink != 0 || name == "/statoverride" {
			return nil
		}
		var st syscall.Stat_t
		if err := syscall.Lstat(path, &st); err != nil {
			return err
		}
		mode := st.Mode & 0o7777
		want := mode &^ strippedBits
		if o, ok := own[name]; ok {
			want = o.apply(want)
			delete(own, name)
		}
		if want != mode {
			fmt.Fprintf(&out, "=%d %s\n", want, name)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	for name := range own {
		return "", materialize.Fail(materialize.ClassConfig, "commit overlay", "mend "+filepath.Join(dir, "statoverride"),
			fmt.Errorf("statoverride names %s: %w", name, fs.ErrNotExist))
	}
	return out.String(), nil
}

// A modeOverride is one line of a statoverride file.
type modeOverride struct {
	mode    uint32
	replace bool
}

func (o modeOverride) apply(mode uint32) uint32 {
	if o.replace {
		return o.mode
	}
	return mode | o.mode
}

// readOverrides reads a statoverride file; a missing one is empty.
func readOverrides(file string) (map[string]modeOverride, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := map[string]modeOverride{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		digits, name, _ := strings.Cut(line, " ")
		o := modeOverride{replace: strings.HasPrefix(digits, "=")}
		mode, err := strconv.ParseUint(strings.TrimLeft(digits, "=+"), 10, 12)
		if err != nil || !strings.HasPrefix(strings.TrimSpace(name), "/") {
			err = &SourceError{File: file, Line: n, Reason: "want a decimal mode and an absolute path"}
			return nil, errors.Join(asFailure(err), f.Close())
		}
		o.mode = uint32(mode)
		out[strings.TrimSpace(name)] = o
	}
	return out, errors.Join(lines.Err(), f.Close())
}
