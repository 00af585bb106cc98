package dirstore_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"cosafs/backend"
	"cosafs/backend/backendtest"
	"cosafs/backend/dirstore"
)

func open(t *testing.T, dir string) *dirstore.Store {
	t.Helper()
	s, err := dirstore.Open(dirstore.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// writeFile writes in place, as programs do that know nothing of us.
func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	// Kernels before 6.13 stamp by the tick; two writes of a test fit into one.
	if now := time.Now(); os.Chtimes(path, now, now) != nil {
		t.Fatal("can't set the time of", path)
	}
}

// replaceFile writes another file and renames it.
func replaceFile(t *testing.T, path string, data []byte) {
	t.Helper()
	writeFile(t, path+".new", data)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestStore(t *testing.T) {
	for name, write := range map[string]func(*testing.T, string, []byte){"in place": writeFile, "by rename": replaceFile} {
		t.Run("seeded "+name, func(t *testing.T) {
			backendtest.Run(t, backendtest.Harness{
				Properties: backend.Properties{Ranges: true, Lists: true, Conditions: true},
				Writes:     true,
				Setup:      setup(write),
			})
		})
	}
}

// setup makes stores that are seeded by writing to their directory.
func setup(write func(*testing.T, string, []byte)) func(*testing.T) (backend.Store, backendtest.Seeder) {
	return func(t *testing.T) (backend.Store, backendtest.Seeder) {
		t.Helper()
		dir := t.TempDir()
		return open(t, dir), func(t *testing.T, key backend.Key, data []byte) {
			t.Helper()
			write(t, filepath.Join(dir, string(key)), data)
		}
	}
}
