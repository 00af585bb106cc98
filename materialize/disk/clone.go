package disk

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"cosafs/materialize"
	"cosafs/materialize/disk/view"
)

// A cloner makes files of views, which the kernel can read without asking anybody, where
// files can share their blocks. They lie beside the base disk and go with it. It is safe
// for concurrent use, by several processes too.
type cloner struct {
	unable sync.Map // directories on whose file systems they can't
}

// clonePath is where a view's file lies: whatever decides its bytes, beside the base disk,
// is in its name.
func (w *Writer) clonePath(req materialize.ImageRequest) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", []string{w.Tool(), w.cfg.Version, req.Kind, string(req.ImageJSON), string(req.PlatformsJSON)}))
	return filepath.Join(filepath.Dir(req.Base.Path), fmt.Sprintf("%s-%x.view", req.Kind, sum[:8]))
}

// open gives the file of an image; nil where that would take as much disk again, or
// fails: a view works without.
func (c *cloner) open(path string, im view.Image) *os.File {
	dir := filepath.Dir(path)
	if _, ok := c.unable.Load(dir); ok {
		return nil
	}
	if f, err := os.Open(path); err == nil {
		return f
	}
	err := cloneTo(path, im)
	if errors.Is(err, errors.ErrUnsupported) {
		c.unable.Store(dir, true)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	return f
}

// cloneTo makes the file, which has its name when it's complete and on disk.
func cloneTo(path string, im view.Image) (err error) {
	f, err := os.OpenFile(filepath.Dir(path), unix.O_TMPFILE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := view.Clone(f, im); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", f.Fd()), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
}
