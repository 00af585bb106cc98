package workdir

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"cosafs/materialize"
	"cosafs/vfs/webui"
)

// What lies in a directory that can't be changed can be read; nothing is made.
func TestFrozenWorkdirIsRead(t *testing.T) {
	dir := newDir(t)
	add(t, openRecords(t, dir), 1, 2)
	put(t, filepath.Join(dir, "src", "config", "manifest.yaml"), "packages:\n  - bash\n")
	put(t, filepath.Join(dir, "src", "config", "image.yaml"), "size: 1\n")
	if err := os.RemoveAll(filepath.Join(dir, "cache")); err != nil {
		t.Fatal(err)
	}
	frozen := materialize.Fail(materialize.ClassConfig, "change it", "chmod", fs.ErrPermission)
	w, err := Open(t.Context(), Config{Dir: dir, State: t.TempDir(), Frozen: frozen, Engine: "dnf", Arch: testArch})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	e, err := w.Library().Resolve(t.Context(), "1.1", testArch, "ostree.tar")
	if err != nil {
		t.Fatal(err)
	}
	blob, err := w.Library().Open(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if err := blob.Close(); err != nil {
		t.Error(err)
	}
	if info, err := w.Show(t.Context(), "latest", ""); err != nil || info.ID != "1.2" || len(info.Buildable) != 0 {
		t.Errorf("show = %+v, %v", info, err)
	}
	next, err := w.Library().Resolve(t.Context(), materialize.Next, testArch, "qemu.qcow2")
	if err != nil || next.State != materialize.StateUnknown || next.Reason == "" {
		t.Errorf("next = %+v, %v", next, err)
	}
	_, openErr := w.Library().Open(t.Context(), next)
	_, buildErr := w.Build(t.Context(), webui.BuildRequest{}, nil)
	_, pruneErr := w.Prune(t.Context(), webui.PruneRequest{Keep: 1})
	for what, err := range map[string]error{
		"open of next": openErr, "build": buildErr, "prune": pruneErr,
		"tag": w.Tag(t.Context(), "x", "1.1"), "untag": w.Untag(t.Context(), "x"),
	} {
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if gone, err := w.Prune(t.Context(), webui.PruneRequest{Keep: 1, Dry: true}); err != nil || len(gone) != 1 {
		t.Errorf("dry prune = %+v, %v", gone, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "cache")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was made in it: %v", err)
	}
}
