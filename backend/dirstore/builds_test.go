package dirstore_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"cosafs/backend"
	"cosafs/backend/dirstore"
)

// workdir makes a workdir: its builds/, opened, and its tmp/.
func workdir(t *testing.T) (b *dirstore.Builds, builds, tmp string) {
	t.Helper()
	dir := t.TempDir()
	builds, tmp = filepath.Join(dir, "builds"), filepath.Join(dir, "tmp")
	for _, d := range []string{builds, tmp} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return open(t, builds).Builds(), builds, tmp
}

func wantIs(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v; want %v", what, err, want)
	}
}

func wantMode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	st, err := os.Lstat(path)
	if err != nil || st.Mode() != want {
		t.Errorf("%s: mode %v, %v; want %v", filepath.Base(path), st.Mode(), err, want)
	}
}

func TestPublish(t *testing.T) {
	b, builds, tmp := workdir(t)
	staging := filepath.Join(tmp, "staging")
	if err := os.Mkdir(staging, 0o700); err != nil { // as os.MkdirTemp does
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(staging, "meta.json"), []byte("{}"))
	if err := os.MkdirAll(filepath.Join(builds, "1", "x86_64"), 0o755); err != nil { // left by a killed one
		t.Fatal(err)
	}
	if err := b.Publish(t.Context(), staging, "1/x86_64"); err != nil {
		t.Fatal(err)
	}
	wantFile(t, filepath.Join(builds, "1/x86_64/meta.json"), "{}")
	wantMode(t, filepath.Join(builds, "1/x86_64"), fs.ModeDir|0o755)

	writeFile(t, filepath.Join(tmp, "again/meta.json"), []byte("other"))
	wantIs(t, "Publish over a build", b.Publish(t.Context(), filepath.Join(tmp, "again"), "1/x86_64"), fs.ErrExist)
	wantFile(t, filepath.Join(builds, "1/x86_64/meta.json"), "{}")
	wantFile(t, filepath.Join(tmp, "again/meta.json"), "other")
	wantIs(t, "Publish of nothing", b.Publish(t.Context(), filepath.Join(tmp, "none"), "2/x86_64"), fs.ErrNotExist)
	wantIs(t, "Publish outside", b.Publish(t.Context(), filepath.Join(tmp, "again"), "../x"), fs.ErrInvalid)
}

func TestAddFile(t *testing.T) {
	b, builds, tmp := workdir(t)
	target, staged := filepath.Join(builds, "1/x86_64/disk"), filepath.Join(tmp, "disk")
	writeFile(t, staged, []byte("disk"))
	wantIs(t, "AddFile to no build", b.AddFile(t.Context(), staged, "1/x86_64/disk"), fs.ErrNotExist)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it is there, with the same bytes
		writeFile(t, staged, []byte("disk"))
		if err := b.AddFile(t.Context(), staged, "1/x86_64/disk"); err != nil {
			t.Fatal(err)
		}
		wantFile(t, target, "disk")
		wantMode(t, target, 0o444)
		wantIs(t, "the staged file", statErr(staged), fs.ErrNotExist)
	}
	for _, other := range []string{"DISK", "dis", "disks", ""} {
		writeFile(t, staged, []byte(other))
		wantIs(t, "AddFile over "+other, b.AddFile(t.Context(), staged, "1/x86_64/disk"), fs.ErrExist)
		wantFile(t, target, "disk")
		wantFile(t, staged, other)
		if err := os.Remove(staged); err != nil {
			t.Fatal(err)
		}
	}
}

func statErr(path string) error {
	_, err := os.Lstat(path)
	return err
}

func TestLatest(t *testing.T) {
	b, builds, _ := workdir(t)
	_, err := b.Latest()
	wantIs(t, "Latest of nothing", err, fs.ErrNotExist)
	for _, id := range []string{"1", "2"} {
		wantIs(t, "SetLatest to no build", b.SetLatest(t.Context(), id), fs.ErrNotExist)
		writeFile(t, filepath.Join(builds, id, "x86_64/meta.json"), []byte("{}"))
		if err := b.SetLatest(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		target, err := os.Readlink(filepath.Join(builds, "latest"))
		if err != nil || target != id {
			t.Errorf("the link holds %q, %v; want %s", target, err, id)
		}
		if got, err := b.Latest(); err != nil || got != id {
			t.Errorf("Latest() = %q, %v; want %s", got, err, id)
		}
	}
	wantIs(t, "SetLatest outside", b.SetLatest(t.Context(), "../tmp"), fs.ErrInvalid)
	if err := os.Remove(filepath.Join(builds, "latest")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(builds, "latest"), []byte("3"))
	_, err = b.Latest()
	wantIs(t, "Latest that is no link", err, fs.ErrInvalid)
	wantNoDots(t, builds)
}

func TestRemoveBuild(t *testing.T) {
	b, builds, _ := workdir(t)
	for _, name := range []string{"1/x86_64/disk", "1/aarch64/disk", "2/x86_64/disk"} {
		writeFile(t, filepath.Join(builds, name), []byte("disk"))
	}
	if err := os.Chmod(filepath.Join(builds, "1/x86_64/disk"), 0o444); err != nil {
		t.Fatal(err)
	}
	if err := b.RemoveBuild(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	wantIs(t, "the build", statErr(filepath.Join(builds, "1")), fs.ErrNotExist)
	wantFile(t, filepath.Join(builds, "2/x86_64/disk"), "disk")
	wantNoDots(t, builds)
	wantIs(t, "RemoveBuild again", b.RemoveBuild(t.Context(), "1"), fs.ErrNotExist)
	for _, id := range []string{"", ".", "..", "2/x86_64", "/"} {
		wantIs(t, "RemoveBuild of "+id, b.RemoveBuild(t.Context(), id), fs.ErrInvalid)
	}
}

func TestNoDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "builds")
	_, err := dirstore.Open(dirstore.Config{Dir: dir})
	var pathErr *fs.PathError
	if !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &pathErr) || pathErr.Path != dir {
		t.Errorf("Open: %v; want ErrNotExist for %s", err, dir)
	}
}

// asNobody runs f without the rights of root, in a thread of its own.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if _, err := unix.SetfsuidRetUid(65534); err != nil {
			t.Error(err)
			return
		}
		f()
	}()
	<-done
}

func TestNotWritable(t *testing.T) {
	b, builds, _ := workdir(t)
	writeFile(t, filepath.Join(builds, "1/x86_64/meta.json"), []byte("{}"))
	for _, d := range []string{"1/x86_64", "1", "."} {
		if err := os.Chmod(filepath.Join(builds, d), 0o555); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(filepath.Join(builds, d), 0o755) //nolint:errcheck // so that it can be deleted
	}
	asNobody(t, func() {
		for what, err := range map[string]error{
			"1/x86_64/meta.json": b.UpdateJSON(t.Context(), "1/x86_64/meta.json", func([]byte) ([]byte, error) { return []byte("1"), nil }),
			"1":                  b.RemoveBuild(t.Context(), "1"),
			"latest":             b.SetLatest(t.Context(), "1"),
		} {
			var pathErr *fs.PathError
			if !errors.Is(err, fs.ErrPermission) || !errors.As(err, &pathErr) || pathErr.Path != filepath.Join(builds, what) {
				t.Errorf("%s: %v; want ErrPermission with its path", what, err)
			}
		}
	})
}

func TestKeysOfOurOwn(t *testing.T) {
	b, _, _ := workdir(t)
	for _, key := range []backend.Key{".hidden", "1/.x86_64/meta.json", "../meta.json", ""} {
		_, err := b.Lock(t.Context(), key)
		wantIs(t, "Lock of "+string(key), err, fs.ErrInvalid)
	}
}
