package fusefs_test

import (
	"os"
	"path/filepath"
	"testing"

	"cosafs/vfs/vfstest"
)

// TestKernelLooksAgainAfterESTALE: a name that the kernel still believes in,
// though it means another file by now, is looked up again by the same open.
func TestKernelLooksAgainAfterESTALE(t *testing.T) {
	f := vfstest.Default(t)
	f.Mute = true // no notification helps
	r := start(t, f)
	path := filepath.Join(r.Dir, "builds.json")
	for _, text := range []string{"one\n", "two, longer\n", "three\n"} {
		if _, err := os.Stat(path); err != nil { // now the kernel knows the old file
			t.Fatal(err)
		}
		it := vfstest.Item{Path: "builds.json", Text: text, Local: len(text) > 5}
		if _, err := r.Do(vfstest.Command{Op: "put", Item: it}); err != nil {
			t.Fatal(err)
		}
		before := stats(t, r).Opens
		got, err := os.ReadFile(path)
		if err != nil || string(got) != text {
			t.Errorf("ReadFile = %q, %v, want %q", got, err, text)
		}
		if opens := stats(t, r).Opens - before; opens != 2 {
			t.Errorf("%d opens reached the server, want the outdated and the right one", opens)
		}
	}
}

// TestReplacedWhileOpen: who reads a metadata file that is replaced goes on
// with the old one, and newcomers get the new one, at the same time.
func TestReplacedWhileOpen(t *testing.T) {
	f := vfstest.Default(t)
	r := start(t, f)
	path := filepath.Join(r.Dir, "builds.json")
	for _, text := range []string{"first, in a local file\n", "second\n", "third\n"} {
		if _, err := r.Do(vfstest.Command{Op: "put", Item: vfstest.Item{Path: "builds.json", Text: text, Local: true}}); err != nil {
			t.Fatal(err)
		}
		vfstest.Eventually(t, "the new text shows", func() bool {
			b, err := os.ReadFile(path)
			return err == nil && string(b) == text
		})
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			got := make([]byte, len(text))
			if _, err := file.ReadAt(got, 0); err != nil || string(got) != text {
				t.Errorf("the open file gives %q, %v, want %q", got, err, text)
			}
			if err := file.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
