package bench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cosafs/index"
	"cosafs/test/storegen"
)

const (
	// davBuilds is how many entries the listed collection has, and bigSize, smallSize
	// are the bytes of what is read alone, and of what a hundred read at once.
	davBuilds = 10_000
	bigSize   = 2 << 30
	smallSize = 64 << 20
	readers   = 100
	davRounds = 3
)

// Serving a build directory to other machines: cosafs, two web servers with WebDAV,
// and rclone, over the same files, in turns.
func BenchmarkDAV(b *testing.B) {
	needTools(b, "nginx", "apache2", "rclone")
	s := newSite(b)
	t := newDAVTable()
	for b.Loop() {
		for range davRounds {
			for _, p := range davPeers() {
				t.add(p.name, s.turn(b, p))
			}
		}
	}
	t.tell(b)
}

// A serving is what one turn of one peer gives.
type serving struct {
	get, getCPU     float64 // of one GET of bigSize: MB/s, CPU s/GiB
	list, listCPU   float64 // of a PROPFIND of all builds for what davfs2 asks: ms, CPU ms
	all             float64 // of a PROPFIND for all properties: ms
	ranges          float64 // of 64 KiB, on eight connections: a second
	crowd, crowdCPU float64 // of a hundred GETs of smallSize at once: MB/s, CPU s/GiB
	peak, grown     float64 // anonymous memory at that, and what it is more than before: MiB
}

func newDAVTable() *table[serving] {
	t := &table[serving]{name: "WebDAV", columns: []column[serving]{
		{"GET MB/s", func(s serving) float64 { return s.get }, false},
		{"GET CPU s/GiB", func(s serving) float64 { return s.getCPU }, true},
		{"PROPFIND ms", func(s serving) float64 { return s.list }, true},
		{"PROPFIND CPU ms", func(s serving) float64 { return s.listCPU }, true},
		{"allprop ms", func(s serving) float64 { return s.all }, true},
		{"64k ranges/s", func(s serving) float64 { return s.ranges }, false},
		{"100 GETs MB/s", func(s serving) float64 { return s.crowd }, false},
		{"100 GETs CPU s/GiB", func(s serving) float64 { return s.crowdCPU }, true},
		{"peak MiB", func(s serving) float64 { return s.peak }, true},
		{"grown MiB", func(s serving) float64 { return s.grown }, true},
	}}
	for _, p := range davPeers() {
		if p.name != cosaFS {
			t.against = append(t.against, peerOf[serving](p.name))
		}
	}
	return t
}

// A site is the build directory that all serve.
type site struct {
	dir        string // builds
	big, small string // paths below it
}

const (
	bigKind   = index.Kind("metal")
	smallKind = index.Kind("qemu")
)

// newSite makes it. Its large files are holes: the disk has no part in what is
// measured.
func newSite(b *testing.B) *site {
	b.Helper()
	work := b.TempDir()
	if err := os.MkdirAll(filepath.Join(work, "src", "config"), 0o755); err != nil {
		b.Fatal(err)
	}
	dir := filepath.Join(work, "builds")
	tree, err := storegen.Make(b.Context(), storegen.Config{Dir: dir, Builds: davBuilds, Kinds: []index.Kind{bigKind, smallKind}})
	if err != nil {
		b.Fatal(err)
	}
	s := &site{dir: dir}
	s.big = s.hollow(b, tree, bigKind, bigSize)
	s.small = s.hollow(b, tree, smallKind, smallSize)
	return s
}

// hollow makes the oldest build's file of the kind one hole.
func (s *site) hollow(b *testing.B, tree *storegen.Tree, kind index.Kind, size int64) string {
	b.Helper()
	path := tree.File(0, arch, kind)
	for _, err := range []error{
		os.Remove(path), os.WriteFile(path, nil, 0o644), os.Truncate(path, size),
		tree.Record(0, arch, kind, strings.Repeat("0", 64), size), // nothing checks it
	} {
		if err != nil {
			b.Fatal(err)
		}
	}
	return filepath.ToSlash(strings.TrimPrefix(path, s.dir))
}

// turn measures one peer once.
func (s *site) turn(b *testing.B, p davPeer) serving {
	b.Helper()
	m := p.start(b, s)
	defer m.stop()
	m.get(s.big, 0, bigSize) // warm
	var r serving
	w := watchProcess(b, m.pid)
	r.get = m.rate(bigSize, func() { m.get(s.big, 0, bigSize) })
	used, _ := w.end()
	r.getCPU = perGiB(used, bigSize)
	m.propfind(davfs2Asks) // warm
	w = watchProcess(b, m.pid)
	r.list = m.millis(func() { m.propfind(davfs2Asks) })
	used, _ = w.end()
	r.listCPU = float64(used.Milliseconds())
	r.all = m.millis(func() { m.propfind("") })
	r.ranges = m.ranges(s.big)
	before := familyMemory(m.pid)
	w = watchProcess(b, m.pid)
	r.crowd = m.rate(readers*smallSize, func() { m.crowd(s.small) })
	used, r.peak = w.end()
	r.grown = r.peak - before
	r.crowdCPU = perGiB(used, readers*smallSize)
	return r
}
