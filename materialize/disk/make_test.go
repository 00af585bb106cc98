package disk_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"cosafs/materialize"
	"cosafs/materialize/disk"
	"cosafs/materialize/guest"
	"cosafs/test/need"
)

// madeUp is a base disk of 8 MiB that no system boots from. Its field lies
// across two places.
func madeUp(t *testing.T) materialize.BaseDisk {
	t.Helper()
	field, err := guest.PlatformField("metal")
	if err != nil {
		t.Fatal(err)
	}
	b := bytes.Repeat([]byte("something "), 1<<17)
	b = append(b, make([]byte, 8<<20-len(b))...)
	copy(b[1000:], field[:100])
	copy(b[70000:], field[100:])
	path := filepath.Join(t.TempDir(), "base, 1.raw")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return materialize.BaseDisk{Path: path, Size: 8 << 20, Platform: []materialize.Extent{
		{Offset: 1000, Length: 100}, {Offset: 70000, Length: guest.FieldWidth - 100},
	}}
}

// stamped gives what the disk is for a platform.
func stamped(t *testing.T, base materialize.BaseDisk, platform string) []byte {
	t.Helper()
	b, err := os.ReadFile(base.Path)
	if err != nil {
		t.Fatal(err)
	}
	field, err := guest.PlatformField(platform)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range base.Platform {
		copy(b[e.Offset:], field[:e.Length])
		field = field[e.Length:]
	}
	return b
}

// made makes the artifact of a kind.
func made(t *testing.T, base materialize.BaseDisk, kind string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), kind)
	w := disk.New(disk.Config{})
	if err := w.Make(t.Context(), base, kind, []byte(`{"size": 2}`), out, newTask(t)); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestMakeMetal(t *testing.T) {
	base := madeUp(t)
	got, err := os.ReadFile(made(t, base, "metal"))
	if err != nil || !bytes.Equal(got, stamped(t, base, "metal")) {
		t.Errorf("metal is not the base disk with its platform: %v", err)
	}
}

func TestMakeQemu(t *testing.T) {
	need.Tool(t, "qemu-img")
	base := madeUp(t)
	out := made(t, base, "qemu")
	var info struct {
		Format string `json:"format"`
		Size   int64  `json:"virtual-size"`
	}
	if err := json.Unmarshal([]byte(sh(t, ".", "qemu-img info --output=json "+out)), &info); err != nil {
		t.Fatal(err)
	}
	if info.Format != "qcow2" || info.Size != 2<<30 {
		t.Errorf("got %+v, want qcow2 of 2 GiB", info)
	}
	want := filepath.Join(t.TempDir(), "want.raw")
	if err := os.WriteFile(want, stamped(t, base, "qemu"), 0o644); err != nil {
		t.Fatal(err)
	}
	// Beyond the shorter one, both must read as zeros.
	sh(t, ".", "qemu-img check -q "+out+" && qemu-img compare -q -f raw -F qcow2 "+want+" "+out)
}

func TestMakeFails(t *testing.T) {
	w, base := disk.New(disk.Config{}), madeUp(t)
	out := filepath.Join(t.TempDir(), "out")
	make := func(base materialize.BaseDisk, kind, imageJSON string) error {
		t.Helper()
		err := w.Make(t.Context(), base, kind, []byte(imageJSON), out, newTask(t))
		if _, serr := os.Stat(out); !errors.Is(serr, fs.ErrNotExist) {
			t.Errorf("%s: a failed one is there: %v", kind, serr)
		}
		return err
	}
	if err := make(base, "gameboy", `{"size": 2}`); !errors.Is(err, materialize.ErrNotMakeable) {
		t.Errorf("unknown kind: got %v, want ErrNotMakeable", err)
	}
	large := base
	large.Size = 3 << 30
	wantClass(t, make(large, "qemu", `{"size": 2}`), materialize.ClassConfig)
	gone := base
	gone.Path += "-gone"
	if err := make(gone, "metal", `{"size": 2}`); err == nil {
		t.Error("no base disk, no error")
	}
	base.Platform = base.Platform[:1]
	if err := make(base, "metal", `{"size": 2}`); err == nil {
		t.Error("a field that doesn't fit, no error")
	}
	t.Setenv("PATH", t.TempDir())
	wantClass(t, make(base, "qemu", `{"size": 2}`), materialize.ClassTool)
}
