package blobcache_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cosafs/materialize/blobcache"
)

// snapshot copies a cache's directory as it is: what a crash of the process leaves.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// file gives the one file of a cache with that suffix.
func file(t *testing.T, dir, suffix string) string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "objects", "*"+suffix))
	if err != nil || len(list) != 1 {
		t.Fatalf("%s files: %v, %v", suffix, list, err)
	}
	return list[0]
}

// flip changes a byte of a file.
func flip(path string, off int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	var b [1]byte
	_, err = f.ReadAt(b[:], off)
	b[0] ^= 0xff
	if err == nil {
		_, err = f.WriteAt(b[:], off)
	}
	return errors.Join(err, f.Close())
}

func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	c := open(t, blobcache.Config{Dir: dir})
	if _, err := blobcache.Open(t.Context(), blobcache.Config{Dir: dir}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second open: %v", err)
	}
	closeAll(t, c)
	open(t, blobcache.Config{Dir: dir})
}

func TestRestartKeepsWhatWasRead(t *testing.T) {
	dir := t.TempDir()
	src := &origin{content: content{seed: 30, size: 10*mib + 5}}
	c := open(t, blobcache.Config{Dir: dir})
	b := get(t, c, src.object(), src)
	check(t, b, src.content, 3*mib, 100)
	check(t, b, src.content, src.size-5, 5)
	closeAll(t, b, c)
	src.forget()

	c = open(t, blobcache.Config{Dir: dir})
	if st := c.State(src.object().ID); st.Present != granule+5 || st.Complete {
		t.Errorf("state: %+v", st)
	}
	if u := c.Usage(); u.Bytes != granule+5 || u.Objects != 1 {
		t.Errorf("usage: %+v", u)
	}
	b = get(t, c, src.object(), src)
	defer closeAll(t, b)
	check(t, b, src.content, 3*mib, 100)
	check(t, b, src.content, src.size-5, 5)
	if asked, _ := src.asked(); len(asked) != 0 {
		t.Errorf("asked again: %v", asked)
	}
}

func TestRestartKeepsWhatIsComplete(t *testing.T) {
	dir := t.TempDir()
	src := &origin{content: content{seed: 31, size: 3*mib + 5}}
	want := src.object()
	want.SHA256 = src.sha256()
	c := open(t, blobcache.Config{Dir: dir})
	fill(t, c, want, src)
	closeAll(t, c)
	src.forget()

	c = open(t, blobcache.Config{Dir: dir})
	if st := c.State(want.ID); !st.Complete || st.Present != src.size {
		t.Errorf("state: %+v", st)
	}
	b := get(t, c, want, src)
	defer closeAll(t, b)
	f, ok := b.LocalFile()
	if !ok {
		t.Fatal("no local file")
	}
	if data, err := os.ReadFile(f.Name()); err != nil || string(data) != string(src.bytes(0, src.size)) {
		t.Errorf("local file: %v", err)
	}
	check(t, b, src.content, 0, src.size)
	if asked, _ := src.asked(); len(asked) != 0 {
		t.Errorf("asked again: %v", asked)
	}
}

// TestCrashKeepsWhatWasSaved: what was read more than a moment before a crash is
// still there, and is checked before it is read.
func TestCrashKeepsWhatWasSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		src := &origin{content: content{seed: 32, size: 10 * mib}}
		b := get(t, open(t, blobcache.Config{Dir: dir}), src.object(), src)
		defer closeAll(t, b)
		check(t, b, src.content, mib, 2*granule)
		<-time.After(3 * time.Second) // longer than the interval of saving
		synctest.Wait()
		check(t, b, src.content, 8*mib, granule)
		crashed := snapshot(t, dir)
		src.forget()

		must(t, flip(file(t, crashed, ".data"), mib+10)) // torn by the crash
		c := open(t, blobcache.Config{Dir: crashed})
		if st := c.State(src.object().ID); st.Present != 2*granule {
			t.Errorf("state: %+v", st)
		}
		b2 := get(t, c, src.object(), src)
		defer closeAll(t, b2)
		check(t, b2, src.content, mib, 2*granule)
		if asked, _ := src.asked(); len(asked) != 1 || asked[0] != (request{mib, granule}) {
			t.Errorf("asked %v", asked)
		}
	})
}

// TestCrashBeforeSaving: nothing is claimed that was not brought to the disk.
func TestCrashBeforeSaving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		src := &origin{content: content{seed: 33, size: mib}}
		b := get(t, open(t, blobcache.Config{Dir: dir}), src.object(), src)
		defer closeAll(t, b)
		check(t, b, src.content, 3*granule, granule)
		c := open(t, blobcache.Config{Dir: snapshot(t, dir)})
		if st := c.State(src.object().ID); st.Present != 0 {
			t.Errorf("state: %+v", st)
		}
	})
}

// TestDamageOfACompleteObject: whatever happens to the files of a complete object
// between two runs is noticed, and costs no more than what was damaged.
func TestDamageOfACompleteObject(t *testing.T) {
	cases := []struct {
		name   string
		damage func(data, maps string) error
		asked  int64 // bytes at most
	}{
		{"data changed", func(data, _ string) error { return flip(data, 5*granule) }, granule},
		{"data cut", func(data, _ string) error { return os.Truncate(data, 30*granule) }, 2*granule + 7},
		{"data longer", func(data, _ string) error { return os.Truncate(data, 33*granule) }, 0},
		{"data gone", func(data, _ string) error { return os.Remove(data) }, 1 << 30},
		{"map gone", func(_, maps string) error { return os.Remove(maps) }, 1 << 30},
		{"map cut", func(_, maps string) error { return os.Truncate(maps, 9000) }, 1 << 30},
		{"map empty", func(_, maps string) error { return os.Truncate(maps, 0) }, 1 << 30},
		{"header damaged", func(_, maps string) error { return flip(maps, 20) }, 1 << 30},
		{"mark damaged", func(_, maps string) error { return flip(maps, 4096) }, 0},
		{"touched", func(data, _ string) error { return os.Chtimes(data, time.Time{}, time.Now().Add(time.Hour)) }, 0},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			src := &origin{content: content{seed: 34, size: 32*granule + 7}}
			want := src.object()
			want.SHA256 = src.sha256()
			c := open(t, blobcache.Config{Dir: dir})
			fill(t, c, want, src)
			closeAll(t, c)
			src.forget()
			must(t, tc.damage(file(t, dir, ".data"), file(t, dir, ".map")))

			c = open(t, blobcache.Config{Dir: dir})
			if c.State(want.ID).Complete {
				t.Error("it counts as complete")
			}
			b := get(t, c, want, src)
			defer closeAll(t, b)
			check(t, b, src.content, 0, src.size)
			fill(t, c, want, src)
			if _, ok := b.LocalFile(); !ok {
				t.Error("no local file in the end")
			}
			if _, total := src.asked(); total > tc.asked {
				t.Errorf("%d bytes asked again; %d should do", total, tc.asked)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestDamageOfAnIncompleteObject: every byte of the map file, one at a time, and
// parts of the data. Nobody ever gets a wrong byte after a crash.
func TestDamageOfAnIncompleteObject(t *testing.T) {
	outer, dir := t, t.TempDir()
	src := &origin{content: content{seed: 35, size: 8 * granule}}
	synctest.Test(t, func(t *testing.T) {
		b := get(t, open(t, blobcache.Config{Dir: dir}), src.object(), src)
		defer closeAll(t, b)
		check(t, b, src.content, 2*granule, 3*granule)
		<-time.After(3 * time.Second)
		synctest.Wait()
		dir = snapshot(outer, dir)
	})
	st, err := os.Stat(file(t, dir, ".map"))
	must(t, err)
	offsets := []int64{0, 8, 12, 16, 24, 60, 100, 130, 4000, 8192, 8193, 8199}
	for off := int64(12288); off < st.Size(); off += 3 {
		offsets = append(offsets, off)
	}
	for _, off := range offsets {
		damaged := snapshot(t, dir)
		must(t, flip(file(t, damaged, ".map"), off))
		c := open(t, blobcache.Config{Dir: damaged})
		b := get(t, c, src.object(), src)
		check(t, b, src.content, 0, src.size)
		closeAll(t, b, c)
	}
}

func TestLeftoversAreRemoved(t *testing.T) {
	dir := t.TempDir()
	closeAll(t, open(t, blobcache.Config{Dir: dir}))
	key := strings.Repeat("ab", 32)
	for _, name := range []string{"objects/" + key + ".data", "objects/" + key + ".123.tmp", "objects/" + key + ".map", "trash/1"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o600))
	}
	c := open(t, blobcache.Config{Dir: dir})
	for _, sub := range []string{"objects", "trash"} {
		if list, err := os.ReadDir(filepath.Join(dir, sub)); err != nil || len(list) != 0 {
			t.Errorf("%s: %v, %v", sub, list, err)
		}
	}
	if u := c.Usage(); u.Objects != 0 || u.Bytes != 0 {
		t.Errorf("usage: %+v", u)
	}
}

// TestAnUnreadObjectLeavesNothing: opening and closing ten thousand files must not
// fill the directory.
func TestAnUnreadObjectLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		src := &origin{content: content{seed: 36, size: mib}}
		c := open(t, blobcache.Config{Dir: dir})
		closeAll(t, get(t, c, src.object(), src))
		<-time.After(5 * time.Second)
		synctest.Wait()
		if list, err := os.ReadDir(filepath.Join(dir, "objects")); err != nil || len(list) != 0 {
			t.Errorf("left: %v, %v", list, err)
		}
		if u := c.Usage(); u.Objects != 0 {
			t.Errorf("usage: %+v", u)
		}
	})
}
