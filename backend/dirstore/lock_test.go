package dirstore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"cosafs/backend"
	"cosafs/backend/dirstore"
)

func wantFile(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s holds %q, %v; want %q", filepath.Base(path), got, err, want)
	}
}

// dots gives the dot names below a directory.
func dots(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(p string, _ os.DirEntry, err error) error {
		if strings.HasPrefix(filepath.Base(p), ".") {
			found = append(found, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func wantNoDots(t *testing.T, dir string) {
	t.Helper()
	if found := dots(t, dir); len(found) > 0 {
		t.Errorf("left behind: %q", found)
	}
}

func lock(t *testing.T, b *dirstore.Builds, file backend.Key) func() error {
	t.Helper()
	unlock, err := b.Lock(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	return unlock
}

// plant makes a lock of builds.json as its holder would have: host, pid and what
// stands in the random field.
func plant(t *testing.T, dir, host, random string) string {
	t.Helper()
	file := filepath.Join(dir, ".builds.json.lock")
	claim := file + "|" + host + "|4242|" + random
	writeFile(t, claim, []byte(claim))
	if err := os.Link(claim, file); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestLockAsCosaDoes checks everything that flufl.lock looks at.
func TestLockAsCosaDoes(t *testing.T) {
	dir := t.TempDir()
	unlock := lock(t, open(t, dir).Builds(), "builds.json")
	file := filepath.Join(dir, ".builds.json.lock")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f := strings.Split(string(content), "|")
	if len(f) != 4 || f[0] != file || f[2] != strconv.Itoa(os.Getpid()) || len(filepath.Base(string(content))) > 255 {
		t.Errorf("the lock holds %q; want %s|<host>|<pid>|<random>", content, file)
	}
	a, aerr := os.Stat(file)
	b, berr := os.Stat(string(content))
	if err := errors.Join(aerr, berr); err != nil || !os.SameFile(a, b) {
		t.Fatalf("lock and claim are not one file: %v", err)
	}
	if sys, ok := a.Sys().(*syscall.Stat_t); !ok || sys.Nlink != 2 {
		t.Errorf("link count is not 2: %+v", a.Sys())
	}
	if left := time.Until(a.ModTime()); left < 51*7*24*time.Hour {
		t.Errorf("the lock ends in %v; want 52 weeks", left)
	}
	for range 2 {
		if err := unlock(); err != nil {
			t.Errorf("unlock: %v", err)
		}
	}
	wantNoDots(t, dir)
}

func TestLockExcludesGoroutines(t *testing.T) {
	b := open(t, t.TempDir()).Builds()
	var holders atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				unlock, err := b.Lock(t.Context(), "x.json")
				if err != nil || holders.Add(1) != 1 {
					t.Errorf("Lock: %v; %d holders", err, holders.Load())
					return
				}
				holders.Add(-1)
				if err := unlock(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestForeignLockStays(t *testing.T) {
	for _, c := range []struct{ name, host, random string }{
		{"cosa on this host", hostname(t), "1234567890123456789"},
		{"cosa elsewhere", "elsewhere.example.org", "42"},
		{"ours elsewhere", "elsewhere.example.org", "cosafs0123456789abcdef.00000001"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			file := plant(t, dir, c.host, c.random)
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				_, err := open(t, dir).Builds().Lock(t.Context(), "builds.json")
				var locked *dirstore.LockedError
				if !errors.As(err, &locked) {
					t.Fatalf("Lock: %v; want a LockedError", err)
				}
				if waited := time.Since(start); waited < 30*time.Second || waited > 31*time.Second {
					t.Errorf("waited %v; want 30s", waited)
				}
				if !strings.Contains(locked.Holder, c.host) || !strings.Contains(locked.Holder, "4242") || locked.File != file || locked.Target != filepath.Join(dir, "builds.json") {
					t.Errorf("%+v; want the holder and %s", locked, file)
				}
			})
			if got := dots(t, dir); len(got) != 2 {
				t.Errorf("there is %q; want the foreign lock and its claim", got)
			}
		})
	}
}

func TestLockOfAnEarlierBootIsBroken(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, hostname(t), "cosafs0123456789abcdef.00000001")
	unlock := lock(t, open(t, dir).Builds(), "builds.json")
	if err := unlock(); err != nil {
		t.Error(err)
	}
	wantNoDots(t, dir)
}

func TestLockOfDeadProcessIsBroken(t *testing.T) {
	dir := t.TempDir()
	c := start(t, "hold", dir)
	c.expect(t, "locked")
	s, err := dirstore.Open(dirstore.Config{Dir: dir, LockWait: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	var locked *dirstore.LockedError
	if _, err := s.Builds().Lock(t.Context(), "builds.json"); !errors.As(err, &locked) || !strings.Contains(locked.Holder, strconv.Itoa(c.Process.Pid)) {
		t.Errorf("Lock beside a living holder: %v; want a LockedError that names it", err)
	}
	c.kill(t)
	if err := lock(t, s.Builds(), "builds.json")(); err != nil {
		t.Error(err)
	}
	wantNoDots(t, dir)
}

func TestWaitForLockEndsWithContext(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "elsewhere.example.org", "42")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := open(t, dir).Builds().Lock(ctx, "builds.json")
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("Lock: %v after %v; want the end of ctx after 1s", err, time.Since(start))
		}
	})
	if got := dots(t, dir); len(got) != 2 {
		t.Errorf("there is %q; want the foreign lock and its claim", got)
	}
}

func TestUnlockOfBrokenLock(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir).Builds()
	unlock := lock(t, b, "builds.json")
	for _, p := range dots(t, dir) {
		if err := os.Remove(p); err != nil {
			t.Fatal(err)
		}
	}
	again := lock(t, b, "builds.json")
	if err := unlock(); !errors.Is(err, dirstore.ErrNotLocked) {
		t.Errorf("unlock of a broken lock: %v; want ErrNotLocked", err)
	}
	if err := again(); err != nil {
		t.Errorf("the second lock suffered: %v", err)
	}
}

func hostname(t *testing.T) string {
	t.Helper()
	h, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestLockIsNoObject(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	unlock := lock(t, s.Builds(), "builds.json")
	for info, err := range s.List(t.Context(), "") {
		t.Errorf("listed %+v, %v; want nothing", info, err)
	}
	names := dots(t, dir)
	slices.Sort(names)
	_, err := s.Stat(t.Context(), backend.Key(filepath.Base(names[0])))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Stat: %v; want ErrNotExist", err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
}
