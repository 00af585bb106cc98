package catalog

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"cosafs/index"
)

func sampleArch() Arch {
	digest := "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
	return Arch{
		ID: "41.1", Name: "x86_64", Dir: "41.1/x86_64", OS: "os", Version: "41.1", Commit: digest, Config: "main (abc)", Problem: "p",
		Time: time.Date(2025, 1, 2, 3, 4, 5, 678, time.UTC), Listed: true,
		Files: []File{
			{Name: "meta.json", Size: 7, ModTime: time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC), Version: `"9f86d081884c7d65"`},
			{Name: "a", Size: -1, Version: "ABCDEF"},
			{Name: "b", Version: `"9f86d081-3"`},
		},
		Images: []index.Image{{Kind: "qemu", Path: "p", SHA256: digest, Size: -1, UncompressedSHA256: "ABCD", UncompressedSize: 9, SkipCompression: true}},
	}
}

func TestRecordsRoundTrip(t *testing.T) {
	a := sampleArch()
	got, err := decodeArch(encodeArch(&a))
	if err != nil {
		t.Fatal(err)
	}
	if got.Stamp == 0 {
		t.Error("no stamp")
	}
	if diff := cmp.Diff(a, got, cmpopts.IgnoreFields(Arch{}, "Stamp")); diff != "" {
		t.Error(diff)
	}
	b := buildRecord{
		heads:   []head{{Head: Head{Name: "x", Stamp: 1 << 63, Time: a.Time}, ref: 1<<32 - 1, kinds: 3}},
		files:   a.Files,
		cleanup: index.Cleanup{Images: true, Build: true, ImagesKept: []index.Kind{"qemu"}},
	}
	again, err := decodeBuild(b.encode())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b, again, cmp.AllowUnexported(buildRecord{}, head{})); diff != "" {
		t.Error(diff)
	}
}

// Whatever the bytes are, decoding gives a record or an error, and what is a record
// is written as it was read but for numbers that are spelled too long.
func FuzzRecords(f *testing.F) {
	a := sampleArch()
	b := buildRecord{heads: []head{{Head: Head{Name: "x"}, ref: 7}}, files: a.Files}
	s := storeState{list: a.Files[0], generation: 3, clean: true}
	o := order{ids: []string{"a", "b"}, tags: []tag{{"n", "t"}}, problems: []problem{{"i", "a", "t"}}}
	for _, seed := range [][]byte{encodeArch(&a), b.encode(), s.encode(), o.encode(), refs{{1, 4}, {9, 9}}.encode()} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		try(t, data, decodeArch, func(a Arch) []byte { return encodeArch(&a) })
		try(t, data, decodeBuild, func(b buildRecord) []byte { return b.encode() })
		try(t, data, decodeState, func(s storeState) []byte { return s.encode() })
		try(t, data, decodeOrder, func(o order) []byte { return o.encode() })
		try(t, data, decodeRefs, func(s refs) []byte { return s.encode() })
		if plain, err := unpack(data); err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatalf("unpack: %v", err)
		} else if packed, err := pack(plain); err != nil {
			t.Fatal(err)
		} else if again, err := unpack(packed); err != nil || !bytes.Equal(again, plain) {
			t.Fatalf("packed and unpacked it differs: %v", err)
		}
	})
}

func try[T any](t *testing.T, data []byte, decode func([]byte) (T, error), encode func(T) []byte) {
	t.Helper()
	v, err := decode(data)
	if err != nil {
		if !errors.Is(err, ErrDamaged) {
			t.Fatalf("%T: %v", v, err)
		}
		return
	}
	once := encode(v)
	again, err := decode(once)
	if err != nil || !bytes.Equal(encode(again), once) {
		t.Fatalf("%T: written twice it differs: %v", v, err)
	}
}

// Every value carries its key: another one's is damage, and so is any flipped bit.
func TestGuard(t *testing.T) {
	value := guarded([]byte("key"), []byte("payload"))
	if got, err := checked([]byte("key"), value); err != nil || string(got) != "payload" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := checked([]byte("kez"), value); !errors.Is(err, ErrDamaged) {
		t.Errorf("under another key: %v", err)
	}
	for i := range value {
		bad := slices.Clone(value)
		bad[i] ^= 0x10
		if _, err := checked([]byte("key"), bad); !errors.Is(err, ErrDamaged) {
			t.Errorf("byte %d flipped: %v", i, err)
		}
	}
}

// Sets of refs behave like sets, and neighbours take no room of their own.
func TestRefs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		want := map[uint32]bool{}
		var s refs
		for range r.IntN(5) {
			var more []uint32
			for range r.IntN(20) {
				ref := uint32(r.IntN(60))
				more, want[ref] = append(more, ref), true
			}
			s = s.with(more)
		}
		data := s.encode()
		again, err := decodeRefs(data)
		if err != nil || !slices.Equal(again, s) {
			t.Fatalf("%v became %v, %v", s, again, err)
		}
		for ref := range uint32(62) {
			has, err := encodedHas(data, ref)
			if s.has(ref) != want[ref] || has != want[ref] || err != nil {
				t.Fatalf("%v has %d: %t, %t, %v; want %t", s, ref, s.has(ref), has, err, want[ref])
			}
		}
	}
	if s := (refs{}).with([]uint32{3, 1, 2, 1<<32 - 1, 4}); len(s) != 2 {
		t.Errorf("%v; want two spans", s)
	}
}
