package dirstore_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"cosafs/backend/dirstore"
)

var errParse = errors.New("cut short")

// TestReadWhileCosaReplaces: cosa writes the last bytes after the rename. The
// first look at the file, here, is what lets it go on.
func TestReadWhileCosaReplaces(t *testing.T) {
	for _, cut := range []string{"", `{"builds": [`} {
		dir := t.TempDir()
		file := filepath.Join(dir, "builds.json")
		synctest.Test(t, func(t *testing.T) {
			b := open(t, dir).Builds()
			writeFile(t, file, []byte(cut))
			tries := 0
			err := b.ReadJSON(t.Context(), "builds.json", func(data []byte) error {
				if tries++; tries == 3 {
					writeFile(t, file, []byte(`{"builds": []}`))
				}
				if !json.Valid(data) {
					return errParse
				}
				return nil
			})
			if err != nil || tries != 4 {
				t.Errorf("ReadJSON: %v after %d tries; want success at the fourth", err, tries)
			}
		})
	}
}

func TestReadOfBrokenFile(t *testing.T) {
	for _, c := range []struct {
		name string
		age  time.Duration
		max  time.Duration
	}{{"old", time.Hour, 0}, {"new", 0, time.Second}} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				file := filepath.Join(dir, "meta.json")
				writeFile(t, file, []byte("{"))
				then := time.Now().Add(-c.age)
				if err := os.Chtimes(file, then, then); err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				err := open(t, dir).Builds().ReadJSON(t.Context(), "meta.json", func([]byte) error { return errParse })
				if took := time.Since(start); !errors.Is(err, errParse) || took > c.max {
					t.Errorf("ReadJSON: %v after %v; want the parser's error within %v", err, took, c.max)
				}
				err = open(t, dir).Builds().UpdateJSON(t.Context(), "meta.json", func(old []byte) ([]byte, error) { return []byte("1"), nil })
				if err == nil {
					t.Error("UpdateJSON replaced a broken file")
				}
				wantFile(t, file, "{")
			})
		})
	}
}

func TestReadOfNothing(t *testing.T) {
	b, builds, _ := workdir(t)
	if err := os.Mkdir(filepath.Join(builds, "dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	never := func([]byte) error { t.Error("parsed"); return nil }
	wantIs(t, "ReadJSON", b.ReadJSON(t.Context(), "none.json", never), fs.ErrNotExist)
	wantIs(t, "ReadJSON of a directory", b.ReadJSON(t.Context(), "dir", never), fs.ErrInvalid)
}

func TestUpdateJSON(t *testing.T) {
	b, builds, _ := workdir(t)
	file := filepath.Join(builds, "builds.json")
	defer syscall.Umask(syscall.Umask(0o077)) // must not show in the file's mode
	err := b.UpdateJSON(t.Context(), "builds.json", func(old []byte) ([]byte, error) {
		if old != nil {
			t.Errorf("no file gives %q; want nil", old)
		}
		return []byte("1"), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wantFile(t, file, "1")
	wantMode(t, file, 0o644)
	wantNoDots(t, builds)

	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	same := func(old []byte) ([]byte, error) { return old, nil }
	if err := b.UpdateJSON(t.Context(), "builds.json", same); err != nil {
		t.Error(err)
	}
	after, err := os.Stat(file)
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("no change replaced the file, %v", err)
	}

	fails := func([]byte) ([]byte, error) { return []byte("2"), errParse }
	wantIs(t, "UpdateJSON that fails", b.UpdateJSON(t.Context(), "builds.json", fails), errParse)
	torn := func([]byte) ([]byte, error) { return []byte("{"), nil }
	if err := b.UpdateJSON(t.Context(), "builds.json", torn); err == nil {
		t.Error("UpdateJSON stored what is no JSON")
	}
	wantFile(t, file, "1")
	wantNoDots(t, builds)
	wantIs(t, "UpdateJSON in no directory", b.UpdateJSON(t.Context(), "no/meta.json", same), fs.ErrNotExist)
}

func TestUpdateJSONLosesNothing(t *testing.T) {
	b, builds, _ := workdir(t)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for range 5 {
				err := b.UpdateJSON(t.Context(), "n.json", func(old []byte) ([]byte, error) {
					n, err := strconv.Atoi("0" + string(old))
					return []byte(strconv.Itoa(n + 1)), err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	wantFile(t, filepath.Join(builds, "n.json"), "30")
}

func TestUpdateJSONWhileCosaHoldsTheLock(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "elsewhere.example.org", "42")
	s, err := dirstore.Open(dirstore.Config{Dir: dir, LockWait: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Builds().UpdateJSON(t.Context(), "builds.json", func([]byte) ([]byte, error) {
		t.Error("called without the lock")
		return nil, nil
	})
	var locked *dirstore.LockedError
	if !errors.As(err, &locked) {
		t.Errorf("UpdateJSON: %v; want a LockedError", err)
	}
}
