package dirstore_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	mrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cosafs/backend"
	"cosafs/backend/dirstore"
)

// The churning child writes in every way that dirstore has; each file begins with
// the sha256 of its rest, each build has buildFiles such files, and
// builds.json counts.
const buildFiles = 3

type counter struct {
	N   int
	Pad string // so that a torn write would show
}

func sealed() []byte {
	data := make([]byte, sha256.Size+mrand.IntN(300_000))
	_, _ = rand.Read(data[sha256.Size:]) // never fails, by its documentation
	sum := sha256.Sum256(data[sha256.Size:])
	copy(data, sum[:])
	return data
}

func churn(t *testing.T, dir string) {
	t.Helper()
	s := open(t, filepath.Join(dir, "builds"))
	for i := range 1000 {
		id := fmt.Sprintf("%d.%d", os.Getpid(), i)
		if err := churnOnce(t.Context(), s, dir, id, fmt.Sprintf("%d.%d", os.Getpid(), i-2)); err != nil {
			t.Fatal(err)
		}
	}
}

func churnOnce(ctx context.Context, s *dirstore.Store, dir, id, old string) error {
	data := sealed()
	src := backend.Source{ReaderAt: bytes.NewReader(data), Size: int64(len(data)), SHA256: sha256.Sum256(data)}
	if _, err := s.Put(ctx, "files/same", src, backend.Cond{}); err != nil {
		return err
	}
	if _, err := s.Put(ctx, backend.Key("files/"+id), src, backend.Cond{IfAbsent: true}); err != nil {
		return err
	}
	if err := s.Delete(ctx, backend.Key("files/"+old), backend.Cond{}); err != nil {
		return err
	}
	if err := publishOne(ctx, s.Builds(), filepath.Join(dir, "tmp", id), id); err != nil {
		return err
	}
	if err := s.Builds().RemoveBuild(ctx, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return s.Builds().UpdateJSON(ctx, "builds.json", countUp)
}

func publishOne(ctx context.Context, b *dirstore.Builds, staging, id string) error {
	if err := os.MkdirAll(staging, 0o755); err != nil {
		return err
	}
	for i := range buildFiles {
		if err := os.WriteFile(filepath.Join(staging, fmt.Sprint(i)), sealed(), 0o644); err != nil {
			return err
		}
	}
	if err := b.Publish(ctx, staging, backend.Key(id+"/x86_64")); err != nil {
		return err
	}
	if err := b.SetLatest(ctx, id); err != nil {
		return err
	}
	if err := os.WriteFile(staging, sealed(), 0o644); err != nil {
		return err
	}
	return b.AddFile(ctx, staging, backend.Key(id+"/x86_64/added"))
}

// countUp counts, and tells the parent what it counted before: that is surely stored.
func countUp(old []byte) ([]byte, error) {
	var c counter
	if old != nil {
		if err := json.Unmarshal(old, &c); err != nil {
			return nil, err
		}
	}
	fmt.Println(c.N)
	c.N++
	c.Pad = strings.Repeat("x", 20_000)
	return json.Marshal(c)
}

// TestKill kills a child at random moments; whatever it was doing, the tree is
// right, and the next one goes on at once.
func TestKill(t *testing.T) {
	kills := 20
	if testing.Short() {
		kills = 3
	}
	dir := t.TempDir()
	for _, d := range []string{"builds", "tmp"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	stored := 0
	for range kills {
		c := start(t, "churn", dir)
		stored = max(stored, churnFor(t, c, time.Duration(mrand.IntN(150))*time.Millisecond))
		checkTree(t, filepath.Join(dir, "builds"), stored)
		if t.Failed() {
			return
		}
	}
	t.Logf("%d rounds, %d kills", stored, kills)
}

// churnFor kills the child some time after its first line, and gives the last
// number that it told.
func churnFor(t *testing.T, c *child, d time.Duration) int {
	t.Helper()
	last := 0
	if !c.lines.Scan() {
		t.Fatal("the child wrote nothing")
	}
	timer := time.AfterFunc(d, func() { _ = c.Process.Kill() }) // Wait tells
	defer timer.Stop()
	for ok := true; ok; ok = c.lines.Scan() {
		if _, err := fmt.Sscan(c.lines.Text(), &last); err != nil {
			t.Fatalf("the child says %q", c.lines.Text())
		}
	}
	_ = c.Wait() // says that it was killed
	return last
}

func checkTree(t *testing.T, builds string, stored int) {
	t.Helper()
	checkNames(t, builds)
	s, err := dirstore.Open(dirstore.Config{Dir: builds, LockWait: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Builds().Sweep(t.Context()); err != nil {
		t.Error(err)
	}
	wantNoDots(t, builds)
	checkNames(t, builds)
	var c counter
	err = s.Builds().ReadJSON(t.Context(), "builds.json", func(b []byte) error { return json.Unmarshal(b, &c) })
	if err != nil || c.N < stored {
		t.Errorf("builds.json counted to %d, %v; at least %d was stored", c.N, err, stored)
	}
	if id, err := s.Builds().Latest(); err != nil {
		t.Error(err)
	} else if _, err := os.Stat(filepath.Join(builds, id, "x86_64", "0")); err != nil {
		t.Errorf("latest is %s: %v", id, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// checkNames checks what anyone sees who lists the tree, sweep or not.
func checkNames(t *testing.T, builds string) {
	t.Helper()
	files := map[string]int{}
	err := filepath.WalkDir(builds, func(p string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(e.Name(), ".") && e.IsDir():
			return fs.SkipDir
		case strings.HasPrefix(e.Name(), "."), e.Name() == "builds.json", !e.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		if len(data) < sha256.Size || sha256.Sum256(data[sha256.Size:]) != [sha256.Size]byte(data) {
			t.Errorf("%s is torn", p)
		}
		if e.Name() != "added" {
			files[filepath.Dir(p)]++
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for d, n := range files {
		if filepath.Base(d) == "x86_64" && n != buildFiles {
			t.Errorf("%s has %d files; want %d", d, n, buildFiles)
		}
	}
}
