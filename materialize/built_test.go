package materialize_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "cosafs/materialize"
)

// What inputs gave which build is remembered, but not for ever.
func TestOldInputsAreForgotten(t *testing.T) {
	w := newWorld(t)
	dir := filepath.Join(w.StateDir, "built")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range 120 {
		name := filepath.Join(dir, fmt.Sprintf("%d.json", i))
		if err := os.WriteFile(name, []byte("{}"), 0o644); err != nil {
			t.Fatal(err)
		}
		long := time.Now().Add(-time.Hour * time.Duration(i+1)) // the first one is the newest
		if err := os.Chtimes(name, long, long); err != nil {
			t.Fatal(err)
		}
	}
	w.build(t, BuildOptions{})
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 100 {
		t.Errorf("%d are left, %v; want 100", len(left), err)
	}
	for name, want := range map[string]bool{"98.json": true, "99.json": false, "119.json": false} {
		if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != want {
			t.Errorf("%s: %v, want it there: %t", name, err, want)
		}
	}
	if w.plan(t, Next, "ostree").State != StateLocal {
		t.Error("the newest was forgotten")
	}
}
