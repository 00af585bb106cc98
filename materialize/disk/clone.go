package disk

import (
	"errors"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"cosafs/materialize/disk/view"
)

// A cloner makes files of views, which the kernel can read without asking anybody, where
// files can share their blocks. It is safe for concurrent use.
type cloner struct {
	unable sync.Map // directories on whose file systems they can't
}

// clone gives a file without a name, beside a base disk, with the bytes of an image of
// it; nil where that would take as much disk again, or fails: a view works without.
func (c *cloner) clone(base string, im view.Image) *os.File {
	dir := filepath.Dir(base)
	if _, ok := c.unable.Load(dir); ok {
		return nil
	}
	f, err := os.OpenFile(dir, unix.O_TMPFILE|os.O_RDWR, 0o600)
	if err != nil {
		return nil
	}
	if err = view.Clone(f, im); err == nil {
		return f
	}
	if errors.Is(err, errors.ErrUnsupported) {
		c.unable.Store(dir, true)
	}
	_ = f.Close() // nobody has seen it
	return nil
}
