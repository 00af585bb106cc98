package workdir

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/materialize"
	"cosafs/vfs"
)

// tarOf finds the ostree artifact of 1.1 by its listing and by its short name.
func tarOf(t *testing.T, w *Workdir) (listed, short vfs.Entry) {
	t.Helper()
	w.look()
	for _, f := range filesOf(t, w.Library().Snapshot().Builds[0].Arches[0]) {
		if f.Kind == "ostree" {
			listed = f
		}
	}
	short, err := w.Library().Resolve(t.Context(), "1.1", testArch, "ostree.tar")
	if err != nil {
		t.Fatal(err)
	}
	return listed, short
}

// A download that was cut off must not pass for the recorded file.
func TestFileOfWrongSizeIsNotServed(t *testing.T) {
	w := newWorkdir(t)
	add(t, w.records, 1)
	whole, _ := tarOf(t, w)
	path := filepath.Join(w.records.path("1.1/x86_64"), whole.Name)
	for _, content := range []string{"cut", "more than is recorded"} {
		put(t, path, content)
		listed, short := tarOf(t, w)
		for how, e := range map[string]vfs.Entry{"listed": listed, "by its short name": short, "listed while it was whole": whole} {
			now, err := w.Library().Refresh(t.Context(), e)
			if err != nil || now.State != materialize.StateFailed || now.Size != whole.Size || !strings.Contains(now.Reason, whole.Name) {
				t.Errorf("%q %s is %+v, %v", content, how, now, err)
			}
			for _, e := range []vfs.Entry{e, now} {
				if _, err := w.Library().Open(t.Context(), e); !errors.Is(err, materialize.ErrCorrupt) {
					t.Errorf("open of %q %s: %v", content, how, err)
				}
			}
		}
		if p, err := w.Plan(t.Context(), "1.1/ostree"); err != nil || p.State != materialize.StateFailed {
			t.Errorf("plan = %+v, %v", p, err)
		}
		if info, err := w.Show(t.Context(), "1.1", ""); err != nil || info.Artifacts[0].Damage == "" || info.Artifacts[0].Local {
			t.Errorf("show = %+v, %v", info, err)
		}
	}
	put(t, path, "ostree 1.1") // copied again
	listed, _ := tarOf(t, w)
	now, err := w.Library().Refresh(t.Context(), listed)
	if err != nil || now.State != materialize.StateLocal || now.Reason != "" {
		t.Errorf("whole again: %+v, %v", now, err)
	}
	blob, err := w.Library().Open(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	if err := blob.Close(); err != nil {
		t.Error(err)
	}
}
