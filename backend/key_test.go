package backend_test

import (
	"errors"
	"io/fs"
	"path"
	"strings"
	"testing"

	"cosafs/backend"
)

func TestKeyParts(t *testing.T) {
	k := backend.Key("41.1/x86_64/meta.json")
	if k.Dir() != "41.1/x86_64" || k.Base() != "meta.json" || k.Dir().Join("a b") != "41.1/x86_64/a b" {
		t.Errorf("parts of %s: %s, %s, %s", k, k.Dir(), k.Base(), k.Dir().Join("a b"))
	}
	if top := backend.Key("latest"); top.Dir() != "" || top.Dir().Join("x") != "x" {
		t.Errorf("Dir of %s = %q; want the root", top, top.Dir())
	}
}

func FuzzValidKey(f *testing.F) {
	for _, s := range []string{"", ".", "/", "a", "a/b", "a//b", "a/../b", "../a", "a/.", "a\x00", "\xff", "ü/雪", "a\\..\\b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		err := backend.Key(s).Check()
		if backend.ValidKey(s) != (err == nil) || err != nil && !errors.Is(err, fs.ErrInvalid) {
			t.Fatalf("Check(%q) = %v, ValidKey = %v", s, err, backend.ValidKey(s))
		}
		// A valid key stays below any root that it is joined to, unchanged.
		if err == nil && (path.Join("/root", s) != "/root/"+s || strings.ContainsRune(s, 0)) {
			t.Fatalf("%q is valid, but leaves its root or is not clean", s)
		}
	})
}

func TestRangeWithin(t *testing.T) {
	for _, c := range []struct {
		r    backend.Range
		size int64
		want int64
		err  error
	}{
		{backend.Range{}, 0, 0, nil},
		{backend.Range{Len: backend.ToEnd}, 7, 7, nil},
		{backend.Range{Off: 7, Len: backend.ToEnd}, 7, 0, nil},
		{backend.Range{Off: 2, Len: 5}, 7, 5, nil},
		{backend.Range{Off: 2, Len: 6}, 7, 0, backend.ErrRange},
		{backend.Range{Off: 8}, 7, 0, backend.ErrRange},
		{backend.Range{Off: 1 << 62, Len: 1<<63 - 1}, 7, 0, backend.ErrRange},
		{backend.Range{Off: 1, Len: 1<<63 - 1}, 7, 0, backend.ErrRange},
		{backend.Range{Off: -1, Len: 1}, 7, 0, fs.ErrInvalid},
	} {
		if got, err := c.r.Within(c.size); got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%+v.Within(%d) = %d, %v; want %d, %v", c.r, c.size, got, err, c.want, c.err)
		}
	}
}
