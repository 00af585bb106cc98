package index_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cosafs/index"
)

// addSeeds gives the fuzzer the documents in testdata.
func addSeeds(f *testing.F) {
	f.Helper()
	paths, err := filepath.Glob("testdata/*.json")
	if err != nil || len(paths) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"a":"\ud800\udc00\udc00\ud800"}`))
}

func FuzzBuilds(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := index.ParseBuilds(data)
		if err != nil {
			return
		}
		if !bytes.Equal(b.Bytes(), data) {
			t.Fatal("not written as it was read")
		}
		for _, e := range b.Entries() {
			if !index.ValidName(string(e.ID)) {
				t.Fatalf("entry %q", e.ID)
			}
		}
		before := b.Entries()
		b.Bump(time.Unix(1, 0))
		if err := b.Insert("zz.1", "zarch"); err != nil {
			return // legacy, or there already
		}
		again := parseBuilds(t, b.Bytes())
		if !again.Has("zz.1") || len(again.Entries()) < len(before) {
			t.Fatal("entries were lost on the way")
		}
	})
}

func FuzzMeta(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := index.ParseMeta(data)
		if err != nil {
			if !errors.Is(err, index.ErrSyntax) && !errors.Is(err, index.ErrSchema) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(m.Bytes(), data) || !json.Valid(data) {
			t.Fatal("not written as it was read")
		}
		_ = m.Validate() // must not panic; most inputs are invalid
		m.Images()
		m.SetStamp(7)
		m.SetStamp(8)
		once := m.Bytes()
		again := parseMeta(t, once)
		again.SetStamp(7)
		again.SetStamp(8)
		if !bytes.Equal(once, again.Bytes()) {
			t.Fatalf("written twice it differs:\n%s\n%s", once, again.Bytes())
		}
		if merged, err := index.Merge(m, again); err != nil || !bytes.Equal(merged.Bytes(), once) {
			t.Fatalf("merged with itself it differs: %v", err)
		}
	})
}

func FuzzFileName(f *testing.F) {
	f.Add(prefix+"-qemu.x86_64.qcow2", osName, string(buildID), "x86_64")
	f.Add("../../x", "..", "..", "/")
	f.Fuzz(func(t *testing.T, file, name, id, arch string) {
		if kind, _, ok := index.ParseFileName(file, name, index.BuildID(id), index.Arch(arch)); ok {
			if _, known := index.FileName(kind, "n", "i", "a"); !known || !index.ValidName(file) {
				t.Fatalf("%q is of kind %q", file, kind)
			}
		}
		for _, kind := range index.Kinds() {
			made, ok := index.FileName(kind, name, index.BuildID(id), "x86_64")
			if !ok {
				continue
			}
			if got, _, ok := index.ParseFileName(made, name, index.BuildID(id), "x86_64"); !ok || got != kind {
				t.Fatalf("%q is of kind %q, not %q", made, got, kind)
			}
		}
	})
}
