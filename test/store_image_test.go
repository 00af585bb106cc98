package test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cosafs/test/need"
	"cosafs/test/s3server"
	"cosafs/test/storegen"
)

// imageSize is the length of the qcow2 file, not what it takes on disk: 2 GiB.
const imageSize = 2 << 30

// Of a qcow2 file of 2 GiB in a bucket, a program moves what it reads and little
// more.
func TestStoreImageMovesWhatIsRead(t *testing.T) {
	needStores(t)
	need.Tool(t, "qemu-img", "qemu-io")
	r := newRemote(t, storegen.Config{Builds: 1})
	e := newStoreEnv(t, "--store", r.url(), "--refresh", "1h")
	original := e.bigImage(r)
	e.serve()
	e.shows(1, r.proxy)
	through := e.path(string(r.IDs[0]), "x86_64", filepath.Base(original))

	const mib = 1 << 20
	info := func() {
		if out := e.sh("qemu-img", "info", through); !strings.Contains(out, "file format: qcow2") {
			t.Errorf("qemu-img info says %s", out)
		}
	}
	e.moves(r, "qemu-img info", 2*mib, info)
	e.moves(r, "qemu-img info again", 0, info)
	e.moves(r, "what a guest reads of what was written", 16*mib, func() {
		for _, at := range written {
			e.sh("qemu-io", "-f", "qcow2", "-r", "-c", fmt.Sprintf("read -P 0x%x %dM 1M", at%250+1, at), through)
		}
	})
	e.moves(r, "64 random blocks", 16*mib, func() { e.sameBlocks(through, original, 64) })
	e.moves(r, "the same blocks again", 0, func() { e.sameBlocks(through, original, 64) })
}

// written are the places of the guest's disk that were written, in MiB: 1 MiB
// of one value at each.
var written = []int{0, 7, 512, 1023, 2000}

// bigImage replaces the image of a tree's build by one of 2 GiB, most of it holes,
// and gives its path.
func (e *storeEnv) bigImage(r *remote) string {
	e.Helper()
	path := r.File(0, "x86_64", "qemu")
	local := filepath.Join(e.dir, "image")
	e.sh("qemu-img", "create", "-q", "-f", "qcow2", "-o", "preallocation=metadata", local, "2040M")
	for _, at := range written {
		e.sh("qemu-io", "-f", "qcow2", "-c", fmt.Sprintf("write -P 0x%x %dM 1M", at%250+1, at), local)
	}
	if err := os.Truncate(local, imageSize); err != nil {
		e.Fatal(err)
	}
	e.sh("cp", "--remove-destination", "--sparse=always", local, path)
	if err := s3server.SetETag(path, "0123456789abcdef0123456789abcdef-256"); err != nil {
		e.Fatal(err)
	}
	sum, _, _ := strings.Cut(e.sh("sha256sum", path), " ")
	if err := r.Record(0, "x86_64", "qemu", sum, imageSize); err != nil {
		e.Fatal(err)
	}
	return path
}

// moves runs a step, and checks that the store sends at most so many bytes for it.
func (e *storeEnv) moves(r *remote, what string, limit int64, step func()) {
	e.Helper()
	r.proxy.Reset()
	step()
	// Who reads has its bytes before the last of a block came.
	e.eventually("all requests end", time.Minute, func() bool { return r.proxy.Counts().Open == 0 })
	c := r.proxy.Counts()
	e.Logf("%s: %d requests, %d KiB", what, c.Total(), c.Sent>>10)
	if c.Sent > limit {
		e.Errorf("%s moves %d bytes; want at most %d: %q", what, c.Sent, limit, c.Last)
	}
}

// sameBlocks compares blocks of 4 KiB, in places that are always the same.
func (e *storeEnv) sameBlocks(a, b string, blocks int) {
	e.Helper()
	order := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // G404: not a secret
	for range blocks {
		at := order.Int64N(imageSize/4096) * 4096
		if !bytes.Equal(block(e, a, at), block(e, b, at)) {
			e.Errorf("the block at %d differs", at)
		}
	}
}

func block(tb testing.TB, path string, at int64) []byte {
	tb.Helper()
	f, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = f.Close() }() // only read
	data := make([]byte, 4096)
	if _, err := f.ReadAt(data, at); err != nil {
		tb.Errorf("read %s at %d: %v", path, at, err)
	}
	return data
}
