package fusefs_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"
	"testing"

	"cosafs/vfs/fusefs"
)

// Containers hide a device by another one, or by nothing.
func TestCheckDevice(t *testing.T) {
	if err := fusefs.CheckDevice("/dev/null"); !errors.Is(err, syscall.ENODEV) {
		t.Errorf("/dev/null: %v", err)
	}
	if err := fusefs.CheckDevice(filepath.Join(t.TempDir(), "fuse")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no device: %v", err)
	}
}
