package materialize

import (
	"compress/gzip"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestInside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk.tar.gz")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	_, err = z.Write([]byte("abc"))
	if err := errors.Join(err, z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	c, ok, err := inside(t.Context(), path)
	if err != nil || !ok || c.Size != 3 || c.SHA256 != hexSHA256([]byte("abc")) {
		t.Errorf("inside = %+v, %t, %v", c, ok, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := inside(ctx, path); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := os.Truncate(path, 12); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := inside(t.Context(), path); err == nil || ok {
		t.Errorf("half a file: %t, %v", ok, err)
	}
	if _, ok, err := inside(t.Context(), "disk.qcow2"); err != nil || ok {
		t.Errorf("no gzip: %t, %v", ok, err)
	}
}
