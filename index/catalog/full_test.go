package catalog_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"cosafs/index/catalog"
	"cosafs/test/need"
)

// On a full disk a sync says so, and what is known can still be read.
func TestDiskFull(t *testing.T) {
	need.Tool(t, "root")
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=100m"); err != nil {
		need.Lacking(t, "root", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	s, c := newStore(), open(t, filepath.Join(disk, "catalog"))
	s.build(t, "1", epoch, "x86_64")
	sync1(t, c, s, catalog.Options{})
	big := filepath.Join(disk, "big")
	if err := os.WriteFile(big, make([]byte, 50<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	s.build(t, "2", epoch, "x86_64")
	if _, err := c.Sync(t.Context(), storeName, s, catalog.Options{}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Sync = %v", err)
	}
	if got := listed(t, c); len(got) != 1 || archOf(t, c, "1", "x86_64").Problem != "" {
		t.Errorf("listed %q", got)
	}
	if err := os.Remove(big); err != nil {
		t.Fatal(err)
	}
	sync1(t, c, s, catalog.Options{})
	if got := listed(t, c); len(got) != 2 {
		t.Errorf("listed %q", got)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
