package disk_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"cosafs/materialize/disk"
	"cosafs/materialize/disk/view"
)

// The disk of a kind is the same whether its file is a frame, a coding or the disk.
func TestDiskIsRaw(t *testing.T) {
	base := madeUp(t)
	for _, kind := range []string{"gcp", "openstack", "vultr"} {
		v, err := disk.New(disk.Config{}).Disk(request(base, kind))
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := v.(view.Image); !ok {
			t.Errorf("%s: a %T doesn't say where its data is", kind, v)
		}
		path := filepath.Join(t.TempDir(), "disk.raw")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(f, io.NewSectionReader(v, 0, v.Size())); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		sh(t, ".", "cmp "+path+" "+grown(t, base, kind, "1"))
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	}
}
