package tinyos

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// A File is one file of a package. A symbolic link's target is its Body.
type File struct {
	Mode fs.FileMode
	Body []byte
}

// A Tree is files by absolute path, directories included where their mode matters.
type Tree map[string]File

// dir, link, and exec put one file of their kind.
func (t Tree) dir(name string, perm fs.FileMode) { t[name] = File{Mode: fs.ModeDir | perm} }
func (t Tree) link(name, target string) {
	t[name] = File{Mode: fs.ModeSymlink | 0o777, Body: []byte(target)}
}

func (t Tree) put(name string, body []byte, perm fs.FileMode) { t[name] = File{Mode: perm, Body: body} }

// names gives the paths in order.
func (t Tree) names() []string { return slices.Sorted(maps.Keys(t)) }

// add puts the files of another tree.
func (t Tree) add(other Tree) { maps.Copy(t, other) }

// read follows symbolic links to a regular file and gives the file's path too.
func (t Tree) read(name string) (string, File, error) {
	for range 8 {
		f, ok := t[name]
		if !ok {
			return "", File{}, fmt.Errorf("tinyos: %s: %w", name, fs.ErrNotExist)
		}
		if f.Mode&fs.ModeSymlink == 0 {
			return name, f, nil
		}
		target := string(f.Body)
		if !path.IsAbs(target) {
			target = path.Join(path.Dir(name), target)
		}
		name = merged(target)
	}
	return "", File{}, fmt.Errorf("tinyos: %s: too many links", name)
}

// merged gives the path with bin, sbin and lib below /usr, where they belong
// since Debian and Fedora merged them.
func merged(name string) string {
	name = path.Clean("/" + name)
	for _, d := range []string{"/bin/", "/sbin/", "/lib/", "/lib64/"} {
		if strings.HasPrefix(name, d) {
			return "/usr" + name
		}
	}
	return name
}

// readTar takes the regular files and symbolic links that keep wants.
func readTar(r io.Reader, keep func(name string) bool) (Tree, error) {
	t := Tree{}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read package: %w", err)
		}
		name := merged(h.Name)
		if !keep(name) {
			continue
		}
		switch h.Typeflag {
		case tar.TypeReg:
			body, err := io.ReadAll(tr)
			if err != nil {
				return nil, fmt.Errorf("read package: %s: %w", name, err)
			}
			t.put(name, body, fs.FileMode(h.Mode).Perm())
		case tar.TypeSymlink:
			t.link(name, h.Linkname)
		}
	}
}
