package blobcache_test

import (
	"context"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"cosafs/materialize/blobcache"
)

// A read is one call of a reader.
type read struct{ off, n int64 }

// sequence is what a reader does who reads n bytes from off on in steps.
func sequence(off, n, step int64) []read {
	var list []read
	for ; n > 0; n, off = n-step, off+step {
		list = append(list, read{off, min(step, n)})
	}
	return list
}

// strided is what a reader does who reads n bytes at equal distances.
func strided(off, distance, n int64, count int) []read {
	var list []read
	for range count {
		list = append(list, read{off, n})
		off += distance
	}
	return list
}

func random(n int64, count int, size int64) []read {
	rng := rand.New(rand.NewPCG(1, 2))
	var list []read
	for range count {
		list = append(list, read{rng.Int64N(size/4096) * 4096, n})
	}
	return list
}

// TestReadahead counts what readers of certain habits have fetched, when all
// that was begun has ended.
func TestReadahead(t *testing.T) {
	const size = 2 << 30
	cases := []struct {
		name        string
		reads       []read
		maxRequests int
		maxBytes    int64
	}{
		{"head -c 4096", []read{{0, 4096}}, 1, 256 * kib},
		{"head through the kernel", []read{{0, 16 * kib}, {16 * kib, 32 * kib}}, 1, 256 * kib},
		{"tail -c 4096", []read{{size - 4096, 4096}}, 1, granule},
		// What strace shows of qemu-img info on a qcow2: probes, header, the backing
		// file's name, then L1 table, refcount table and a block elsewhere.
		{"qemu-img info", []read{
			{0, 512}, {0, 2048}, {0, 104}, {0, 64 * kib}, {104, 400}, {192 * kib, 4096}, {64 * kib, 64 * kib},
			{128 * kib, 64 * kib}, {size - granule, 512}, {0, 4096},
		}, 2, 512 * kib},
		{"file(1)", sequence(0, 7*mib, 256*kib), 24, 16 * mib},
		{"one MiB", sequence(0, mib, 128*kib), 12, 4 * mib},
		{"random", random(4096, 200, size), 200 + 40, 240 * granule},
		{"two places in turn", interleave(sequence(0, 4*mib, 128*kib), sequence(size/2, 4*mib, 128*kib)), 60, 24 * mib},
		{"the same bytes for ever", slices.Repeat([]read{{mib, 4096}}, 1000), 1, granule},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := &origin{content: content{seed: 20, size: size}}
				b := get(t, open(t, blobcache.Config{}), src.object(), src)
				defer closeAll(t, b)
				for _, r := range tc.reads {
					check(t, b, src.content, r.off, r.n)
					synctest.Wait()
				}
				requests, total := src.asked()
				t.Logf("%d requests, %d KiB", len(requests), total/kib)
				if len(requests) > tc.maxRequests || total > tc.maxBytes {
					t.Errorf("want at most %d requests, %d KiB: %v", tc.maxRequests, tc.maxBytes/kib, requests)
				}
			})
		})
	}
}

func interleave(a, b []read) []read {
	var list []read
	for i := range a {
		list = append(list, a[i], b[i])
	}
	return list
}

// TestSequentialReaderFindsBytesThere reads on long enough for large windows: then
// requests are large, many run at once, and hardly any read waits.
func TestSequentialReaderFindsBytesThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &origin{content: content{seed: 21, size: 80 * mib}}
		c := open(t, blobcache.Config{})
		b := get(t, c, src.object(), src)
		defer closeAll(t, b)
		waited := 0
		for _, r := range sequence(0, src.size, 128*kib) {
			_, before := src.asked()
			check(t, b, src.content, r.off, r.n)
			if before < r.off+r.n {
				waited++
			}
			synctest.Wait()
		}
		requests, total := src.asked()
		if total != src.size {
			t.Errorf("%d bytes asked of %d", total, src.size)
		}
		if len(requests) > 60 || waited > 4 {
			t.Errorf("%d requests; %d reads waited", len(requests), waited)
		}
	})
}

// TestKernelReordersReads: two reads of the kernel's own read-ahead come in the
// wrong order, which is still a sequence.
func TestKernelReordersReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &origin{content: content{seed: 22, size: 64 * mib}}
		b := get(t, open(t, blobcache.Config{}), src.object(), src)
		defer closeAll(t, b)
		reads := sequence(0, 32*mib, 128*kib)
		for i := 0; i+1 < len(reads); i += 2 {
			reads[i], reads[i+1] = reads[i+1], reads[i]
		}
		for _, r := range reads {
			check(t, b, src.content, r.off, r.n)
			synctest.Wait()
		}
		if requests, _ := src.asked(); len(requests) > 60 {
			t.Errorf("%d requests", len(requests))
		}
	})
}

// TestStrides: once the distance is known, the next reads are there already, and
// nothing between them.
func TestStrides(t *testing.T) {
	for name, reads := range map[string][]read{
		"forward":  strided(mib, 7*mib, 4096, 20),
		"backward": strided(200*mib, -7*mib, 4096, 20),
		"near":     strided(mib, 300*kib, 4096, 20),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := &origin{content: content{seed: 23, size: 256 * mib}}
				b := get(t, open(t, blobcache.Config{}), src.object(), src)
				defer closeAll(t, b)
				for i, r := range reads {
					if i == 4 {
						src.forget()
					}
					if i == 5 {
						if asked, _ := src.asked(); len(asked) == 0 || asked[0].off == r.off/granule*granule {
							t.Errorf("nothing was fetched ahead: %v", asked)
						}
					}
					check(t, b, src.content, r.off, r.n)
					synctest.Wait()
				}
				if _, total := src.asked(); total > 24*granule {
					t.Errorf("%d granules", total/granule)
				}
			})
		})
	}
}

// TestReadaheadEndsWithTheBlob: what a closed blob would have read is not fetched.
func TestReadaheadEndsWithTheBlob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &origin{content: content{seed: 24, size: 512 * mib}}
		src.open = func(_ context.Context, r request, body io.Reader) (io.Reader, error) {
			if r.n > mib {
				<-time.After(time.Second)
			}
			return body, nil
		}
		c := open(t, blobcache.Config{Parallel: 1})
		b := get(t, c, src.object(), src)
		for _, r := range sequence(0, 12*mib, 128*kib) {
			check(t, b, src.content, r.off, r.n)
		}
		closeAll(t, b)
		<-time.After(time.Minute)
		if _, total := src.asked(); total > 30*mib {
			t.Errorf("%d MiB asked", total/mib)
		}
	})
}
