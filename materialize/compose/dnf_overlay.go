package compose

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"cosafs/materialize"
)

// overlay lays the configuration's overlay.d directories, the image
// configuration and overrides/rootfs over the packages, as cosa's layers are.
func (c *composition) overlay(root *os.Root) error {
	dirs, err := overlayDirs(c.cfg)
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if err := copyLayer(root, dir, false); err != nil {
			return err
		}
	}
	for path, data := range c.req.ImageFiles() {
		if err := writeTreeFile(root, strings.TrimPrefix(path, "/"), data, 0o644); err != nil {
			return err
		}
	}
	dir, err := overrideRoot(c.cfg)
	if err != nil || dir == "" {
		return err
	}
	return copyLayer(root, dir, true)
}

// writeTreeFile writes a file with its directories.
func writeTreeFile(root *os.Root, name string, data []byte, perm fs.FileMode) error {
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := root.WriteFile(name, data, perm); err != nil {
		return err
	}
	return root.Chmod(name, perm) // whatever the umask
}

// copyLayer copies a directory tree: owned by root, without the bits that
// overlays lose, but with those of its statoverride file. A file that is there
// already with other contents is replaced, or a Failure of ClassConfig.
func copyLayer(root *os.Root, dir string, replace bool) error {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	own, err := readOverrides(filepath.Join(dir, "statoverride"))
	if err != nil {
		return err
	}
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil || rel == "." || rel == "statoverride" {
			return err
		}
		if err := copyEntry(root, treePath(rel), path, d, replace, own["/"+rel]); err != nil {
			return fmt.Errorf("lay %s over the packages: %w", path, err)
		}
		return nil
	})
}

// treePath gives the path in the tree while it is being made: /usr/etc, as a
// layer may call it, is still /etc.
func treePath(rel string) string {
	if rest, ok := strings.CutPrefix(rel, "usr/etc"); ok && (rest == "" || rest[0] == '/') {
		return "etc" + rest
	}
	return rel
}

func copyEntry(root *os.Root, rel, path string, d fs.DirEntry, replace bool, own modeOverride) error {
	switch {
	case d.IsDir():
		return copyDir(root, rel, path, own)
	case d.Type()&fs.ModeSymlink != 0:
		return copyLink(root, rel, path, replace)
	case d.Type().IsRegular():
		return copyFile(root, rel, path, replace, own)
	default:
		return fmt.Errorf("neither file, directory nor link: %w", fs.ErrInvalid)
	}
}

// layerMode is the mode that a file of a layer gets.
func layerMode(path string, own modeOverride) (fs.FileMode, error) {
	var st syscall.Stat_t
	if err := syscall.Lstat(path, &st); err != nil {
		return 0, err
	}
	return goMode(own.apply(st.Mode &^ strippedBits & 0o7777)), nil
}

// goMode turns permission bits of stat(2) into Go's.
func goMode(bits uint32) fs.FileMode {
	mode := fs.FileMode(bits & 0o777)
	for bit, m := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if bits&bit != 0 {
			mode |= m
		}
	}
	return mode
}

// copyDir makes a directory; one that a package has keeps its mode.
func copyDir(root *os.Root, rel, path string, own modeOverride) error {
	if info, err := root.Stat(rel); err == nil && info.IsDir() && own == (modeOverride{}) {
		return nil
	}
	mode, err := layerMode(path, own)
	if err != nil {
		return err
	}
	if err := root.MkdirAll(rel, 0o755); err != nil {
		return err
	}
	return root.Chmod(rel, mode)
}

func copyLink(root *os.Root, rel, path string, replace bool) error {
	target, err := os.Readlink(path)
	if err != nil {
		return err
	}
	if old, err := root.Readlink(rel); err == nil && old == target {
		return nil
	}
	if err := makeRoom(root, rel, replace); err != nil {
		return err
	}
	return root.Symlink(target, rel)
}

func copyFile(root *os.Root, rel, path string, replace bool, own modeOverride) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	mode, err := layerMode(path, own)
	if err != nil {
		return err
	}
	if same(root, rel, data) {
		return root.Chmod(rel, mode)
	}
	if err := makeRoom(root, rel, replace); err != nil {
		return err
	}
	return writeTreeFile(root, rel, data, mode)
}

// same says whether a regular file has these contents.
func same(root *os.Root, rel string, data []byte) bool {
	info, err := root.Lstat(rel)
	if err != nil || !info.Mode().IsRegular() || info.Size() != int64(len(data)) {
		return false
	}
	f, err := root.Open(rel)
	if err != nil {
		return false
	}
	old, err := io.ReadAll(f)
	return errors.Join(err, f.Close()) == nil && bytes.Equal(old, data)
}

// makeRoom removes what has the name, or refuses.
func makeRoom(root *os.Root, rel string, replace bool) error {
	_, err := root.Lstat(rel)
	if errors.Is(err, fs.ErrNotExist) {
		return root.MkdirAll(filepath.Dir(rel), 0o755)
	}
	if err != nil {
		return err
	}
	if !replace {
		return materialize.Fail(materialize.ClassConfig, "compose",
			"take the file out of the overlay, or put it into overrides/rootfs, which may replace",
			fmt.Errorf("/%s is in a package: %w", rel, fs.ErrExist))
	}
	return root.RemoveAll(rel)
}
