package blobcache_test

import (
	"runtime"
	"runtime/debug"
	"testing"

	"cosafs/materialize/blobcache"
)

// TestMemoryStaysFlat streams a large object. What is live in the heap must not
// depend on how much was read.
func TestMemoryStaysFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 256 MiB")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	src := &origin{content: content{seed: 150, size: 256 * mib}}
	c := open(t, blobcache.Config{Quota: 64 * mib})
	b := get(t, c, src.object(), src)
	defer closeAll(t, b)
	p := make([]byte, 128*kib)
	var peak, before uint64
	for i, r := range sequence(0, src.size, int64(len(p))) {
		if _, err := b.ReadAt(t.Context(), p, r.off); err != nil {
			t.Fatal(err)
		}
		if i%64 == 0 {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			if i == 0 {
				before = m.HeapAlloc
			}
			peak = max(peak, m.HeapAlloc)
		}
	}
	t.Logf("heap grew by %d KiB at most", (peak-before)/kib)
	if peak-before > 16*mib {
		t.Errorf("heap grew by %d MiB", (peak-before)/mib)
	}
}
