package compose

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
)

// autovar is where rpm-ostree writes what packages want in /var.
const autovar = "usr/lib/tmpfiles.d/rpm-ostree-autovar.conf"

// emptyVar turns directories and links in /var into lines of tmpfiles.d(5), and
// empties it: /var is the machine's and not part of a commit. Regular files are
// dropped, as rpm-ostree does, and named in the log.
func (c *composition) emptyVar(root *os.Root) error {
	if err := root.MkdirAll("var", 0o755); err != nil {
		return err
	}
	names, err := readOwners(root)
	if err != nil {
		return err
	}
	var lines []string
	err = fs.WalkDir(root.FS(), "var", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch name {
		case "var":
			return nil
		case "var/tmp", "var/lib/rpm-state": // every system has the one, the other is of this run
			return fs.SkipDir
		}
		line, err := tmpfilesLine(root, name, d, names)
		if line == "" && err == nil {
			c.task.Logf("not in the commit: /%s", name)
		} else {
			lines = append(lines, line)
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := root.RemoveAll("var"); err != nil {
		return err
	}
	if err := errors.Join(root.Mkdir("var", 0o755), root.Chmod("var", 0o755)); err != nil {
		return err
	}
	if len(lines) == 0 {
		return nil
	}
	return writeTreeFile(root, autovar, []byte(strings.Join(lines, "\n")+"\n"), 0o644)
}

// tmpfilesLine gives the line for an entry, "" for a regular file.
func tmpfilesLine(root *os.Root, name string, d fs.DirEntry, names owners) (string, error) {
	quoted := strings.ReplaceAll(strings.ReplaceAll(name, `%`, `%%`), " ", `\x20`)
	switch {
	case d.IsDir():
		info, err := d.Info()
		if err != nil {
			return "", err
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return "", fmt.Errorf("/%s: %w", name, errors.ErrUnsupported)
		}
		return fmt.Sprintf("d /%s %04o %s %s - -", quoted, st.Mode&0o7777, names.user(st.Uid), names.group(st.Gid)), nil
	case d.Type()&fs.ModeSymlink != 0:
		target, err := root.Readlink(name)
		return fmt.Sprintf("L /%s - - - - %s", quoted, target), err
	default:
		return "", nil
	}
}

// owners are the tree's own names of ids.
type owners struct{ users, groups map[string]string }

func (o owners) user(id uint32) string  { return nameOf(o.users, id) }
func (o owners) group(id uint32) string { return nameOf(o.groups, id) }

// nameOf gives the number where nobody has it; tmpfiles.d takes either.
func nameOf(names map[string]string, id uint32) string {
	if id == 0 {
		return "root"
	}
	number := fmt.Sprint(id)
	if name, ok := names[number]; ok {
		return name
	}
	return number
}

// readOwners reads the tree's passwd and group files.
func readOwners(root *os.Root) (owners, error) {
	o := owners{map[string]string{}, map[string]string{}}
	for file, names := range map[string]map[string]string{"passwd": o.users, "group": o.groups} {
		for _, dir := range []string{"etc", "usr/lib"} {
			data, err := root.ReadFile(path.Join(dir, file))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return o, err
			}
			for line := range strings.Lines(string(data)) {
				if fields := strings.Split(line, ":"); len(fields) > 2 && names[fields[2]] == "" {
					names[fields[2]] = fields[0]
				}
			}
		}
	}
	return o, nil
}
