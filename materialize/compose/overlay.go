package compose

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// overlayDirs gives the directories of <config>/overlay.d, sorted. Each is laid
// over the packages, in that order.
func overlayDirs(cfg Config) ([]string, error) {
	root := filepath.Join(cfg.Dir, "overlay.d")
	entries, err := readDir(root)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		path := filepath.Join(root, e.Name())
		if info, err := os.Stat(path); err == nil && info.IsDir() { // a link to a directory is one
			out = append(out, path)
		}
	}
	return out, nil
}

// overrideRPMs gives the packages in <overrides>/rpm, sorted: they replace the
// ones of the same name in the repositories.
func overrideRPMs(cfg Config) ([]string, error) {
	dir := filepath.Join(cfg.Overrides, "rpm")
	entries, err := readDir(dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".rpm" {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	return out, nil
}

// overrideRoot gives <overrides>/rootfs if there is something in it, else "".
// It is laid over everything else.
func overrideRoot(cfg Config) (string, error) {
	dir := filepath.Join(cfg.Overrides, "rootfs")
	entries, err := readDir(dir)
	if err != nil || len(entries) == 0 {
		return "", err
	}
	return dir, nil
}

// OverridesActive says whether anything in overrides/ changes what is composed;
// cosa records it in meta.json.
func OverridesActive(cfg Config) (bool, error) {
	cfg = cfg.WithDefaults()
	rpms, err := overrideRPMs(cfg)
	if err != nil {
		return false, err
	}
	root, err := overrideRoot(cfg)
	return len(rpms) > 0 || root != "", err
}

// readDir lists a directory; one that is missing counts as empty.
func readDir(dir string) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return entries, nil
}
