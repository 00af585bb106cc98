package bench

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cosafs/index"
	"cosafs/test/faultproxy"
	"cosafs/test/s3server"
	"cosafs/test/storegen"
)

const (
	// objectSize is that of an object that is read whole: 256 MiB.
	objectSize = 256 << 20
	// randomSize is that of the one that is read here and there: 4 GiB, so that
	// reading ahead does not bring all of it.
	randomSize = 4 << 30
	// inParallel GETs, of partSize bytes each, are what the raw reader runs at once.
	inParallel = 16
	partSize   = 8 << 20
	// randomFor is how long random reads go on.
	randomFor = time.Second
	// storeRounds is how often each peer has its turn.
	storeRounds = 3
)

// Reading objects in a bucket: cosafs, other programs that mount buckets, and bare
// ranged GETs of the same objects, in turns; directly, and with 20 ms more to each
// request. Every turn starts with an empty cache.
func BenchmarkStores(b *testing.B) {
	needTools(b, "root", "fuse", "rclone", "s3fs")
	o := newObjects(b)
	for _, net := range []struct {
		name string
		addr string
	}{
		{"direct", o.server.Addr},
		{"20ms", faultproxy.Wire{Delay: 20 * time.Millisecond}.Start(b, o.server.Addr)},
	} {
		b.Run(net.name, func(b *testing.B) {
			table := newStoreTable(net.name)
			for b.Loop() {
				for range storeRounds {
					for _, p := range storePeers() {
						table.add(p.name, o.turn(b, p, net.addr))
					}
				}
			}
			table.tell(b)
		})
	}
	b.Run("wire", func(b *testing.B) { o.wire(b) })
}

// objects are what is read: one for each kind of reading, so that all are cold.
type objects struct {
	server *s3server.Server
	tree   *storegen.Tree
}

// Which object is for what.
const (
	forFirst  = index.Kind("ostree")
	forRandom = index.Kind("qemu")
	forAll    = index.Kind("metal")
)

// newObjects makes a bucket with a build, whose files are holes: the disk of the
// server has no part in what is measured.
func newObjects(b *testing.B) *objects {
	b.Helper()
	s := s3server.Start(b)
	tree, err := storegen.Make(b.Context(), storegen.Config{
		Dir: s.Object(s3server.Public, "builds"), Builds: 1, Kinds: []index.Kind{forFirst, forRandom, forAll}, Wrote: s3server.Adopt})
	if err != nil {
		b.Fatal(err)
	}
	o := &objects{s, tree}
	for kind, size := range map[index.Kind]int64{forFirst: objectSize, forRandom: randomSize, forAll: objectSize} {
		o.hollow(b, kind, size)
	}
	return o
}

// hollow makes an object one hole.
func (o *objects) hollow(b *testing.B, kind index.Kind, size int64) {
	b.Helper()
	path, hash := o.tree.File(0, arch, kind), sha256.New()
	if _, err := io.CopyN(hash, zeros{}, size); err != nil {
		b.Fatal(err)
	}
	for _, err := range []error{
		os.Truncate(path, 0), os.Truncate(path, size), s3server.SetETag(path, fmt.Sprintf("%032x-32", len(kind))),
		o.tree.Record(0, arch, kind, fmt.Sprintf("%x", hash.Sum(nil)), size),
	} {
		if err != nil {
			b.Fatal(err)
		}
	}
}

// zeros reads as zeros for ever.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// key is an object's below the tree.
func (o *objects) key(kind index.Kind) string {
	rel := strings.TrimPrefix(o.tree.File(0, arch, kind), o.tree.Dir)
	return filepath.ToSlash(rel)
}

// A reading is what one turn of one peer gives. 0 is not measured.
type reading struct {
	first         time.Duration // to the first 4 KiB
	cold, warm    float64       // of a whole object, MB/s
	rand4, rand64 [2]float64    // reads a second, one thread and eight
	cpu           float64       // seconds of the peer a GiB, reading cold
	peak          float64       // anonymous memory, MiB, reading cold
}

// turn measures one peer once, from an empty cache.
func (o *objects) turn(b *testing.B, p storePeer, addr string) reading {
	b.Helper()
	m := p.start(b, o, addr)
	defer m.stop()
	var r reading
	r.first = m.firstByte(o.key(forFirst))
	watch := watchProcess(b, m.pid)
	r.cold = m.whole(o.key(forAll))
	used, peak := watch.end()
	r.cpu, r.peak = perGiB(used, objectSize), peak
	if m.pid != 0 {
		r.warm = m.whole(o.key(forAll))
	}
	for i, threads := range []int{1, 8} {
		r.rand4[i] = m.random(o.key(forRandom), 4<<10, threads)
		r.rand64[i] = m.random(o.key(forRandom), 64<<10, threads)
	}
	return r
}

// wire says whether the delaying wire holds raw reading up by itself.
func (o *objects) wire(b *testing.B) {
	b.Helper()
	var direct, wired []float64
	undelayed := faultproxy.Wire{}.Start(b, o.server.Addr)
	for b.Loop() {
		for range storeRounds {
			direct = append(direct, rawPeer(b, o, o.server.Addr).whole(o.key(forAll)))
			wired = append(wired, rawPeer(b, o, undelayed).whole(o.key(forAll)))
		}
	}
	b.ReportMetric(0, "ns/op") // it is that of both sides together
	b.ReportMetric(middle(wired)/middle(direct), "wire/direct")
}
