package blobcache

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestWindow(t *testing.T) {
	const kib, mib, quota = 1 << 10, 1 << 20, 20 << 30
	cases := []struct{ read, quota, window, part int64 }{
		{0, quota, 0, granule},
		{128 * kib, quota, 0, granule},
		{256 * kib, quota, 512 * kib, 256 * kib},
		{512 * kib, quota, mib, 256 * kib},
		{mib, quota, 2 * mib, mib},
		{4 * mib, quota, 4 * mib, mib},
		{8 * mib, quota, 64 * mib, 4 * mib},
		{16 * mib, quota, 128 * mib, 8 * mib},
		{1 << 40, quota, 128 * mib, 8 * mib},
		{1 << 40, 64 * mib, 8 * mib, 8 * mib},
		{1 << 40, 1, granule, granule},
	}
	for _, tc := range cases {
		if w, p := window(tc.read, tc.quota); w != tc.window || p != tc.part {
			t.Errorf("after %d of %d: window %d, part %d; want %d, %d", tc.read, tc.quota, w, p, tc.window, tc.part)
		}
	}
}

// sampleMap is a map file as it is after a clean stop.
func sampleMap(tb testing.TB, size int64) []byte {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "map")
	m, err := createMap(path, newHeader(sha256.Sum256([]byte("id")), size))
	if err != nil {
		tb.Fatal(err)
	}
	defer m.Close() //nolint:errcheck // it is read below
	bits := newBitmap(granules(size))
	bits.set(granules(size) - 1)
	if err := errors.Join(m.record(map[int]uint32{granules(size) - 1: 7}, bits.bytes()), m.clean()); err != nil {
		tb.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func TestMapRoundTrip(t *testing.T) {
	for _, size := range []int64{1, granule, granule + 1, 63 * granule, 64 * granule, 65*granule + 3, 1 << 32} {
		data := sampleMap(t, size)
		cl, err := readClaim(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		last := granules(size) - 1
		if !cl.clean || cl.Size != size || cl.bits.count() != 1 || !cl.bits.get(last) {
			t.Errorf("%d bytes: %+v", size, cl)
		}
		m := &mapFile{header: cl.header}
		if m.length() != int64(len(data)) {
			t.Errorf("%d bytes: length %d, not %d", size, m.length(), len(data))
		}
	}
}

// TestHeaderByteFlips: no damage of the header goes unnoticed.
func TestHeaderByteFlips(t *testing.T) {
	data := sampleMap(t, 10*granule)
	n := len(newHeader([32]byte{}, 0).ID) + 64 + 8 + 8 + 8 + 4 // more than the header and its checksum
	used := bytes.LastIndexFunc(data[:block], func(r rune) bool { return r != 0 }) + 1
	for i := range min(n, used) {
		bad := bytes.Clone(data)
		bad[i] ^= 0x10
		if _, err := readClaim(bytes.NewReader(bad), int64(len(bad))); !errors.Is(err, errMap) {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
}

func FuzzReadClaim(f *testing.F) {
	whole := sampleMap(f, 70*granule)
	f.Add(whole)
	f.Add(whole[:block])
	f.Add(whole[:len(whole)-1])
	f.Add([]byte{})
	huge := newHeader([32]byte{1}, maxSize)
	f.Add(append(huge.encode(), make([]byte, 2*block)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		cl, err := readClaim(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			if !errors.Is(err, errMap) {
				t.Errorf("error of another kind: %v", err)
			}
			return
		}
		n := granules(cl.Size)
		if cl.bits.count() > n || bytesOf(cl.bits, cl.Size) > cl.Size {
			t.Errorf("%d of %d granules, %d of %d bytes", cl.bits.count(), n, bytesOf(cl.bits, cl.Size), cl.Size)
		}
		if int64(len(data)) != cl.length() {
			t.Errorf("length %d, not %d", cl.length(), len(data))
		}
	})
}
