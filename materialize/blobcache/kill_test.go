package blobcache_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cosafs/materialize/blobcache"
)

// killDir tells a child which cache to fill until it is killed.
const killDir = "BLOBCACHE_TEST_KILL_DIR"

// victims are the objects that the child reads: more than the quota holds.
func victims() []*origin {
	var list []*origin
	for i := range uint64(3) {
		list = append(list, &origin{content: content{seed: 140 + i, size: 6*mib + 77}})
	}
	return list
}

const killQuota = 14 * mib

// TestKillVictim is the child of TestKillAtAnyInstant. It reads, completes, makes
// and evicts objects for ever.
func TestKillVictim(t *testing.T) {
	dir := os.Getenv(killDir)
	if dir == "" {
		return // nobody to kill
	}
	c := open(t, blobcache.Config{Dir: dir, Quota: killQuota})
	fmt.Println("ready")
	rng := rand.New(rand.NewPCG(uint64(os.Getpid()), 0))
	for {
		src := victims()[rng.IntN(3)]
		switch rng.IntN(4) {
		case 0:
			want := src.object()
			want.SHA256 = src.sha256()
			fill(t, c, want, src)
		case 1:
			want := src.object()
			want.ID += " made"
			b, err := c.Make(t.Context(), want, from(src.content, new(atomic.Int32)))
			must(t, err)
			closeAll(t, b)
		default:
			b := get(t, c, src.object(), src)
			for _, r := range habit(rng, src.size) {
				n := min(r.n, max(src.size-r.off, 0))
				check(t, b, src.content, min(r.off, src.size), n)
			}
			closeAll(t, b)
		}
	}
}

// TestKillAtAnyInstant kills a process that uses a cache, again and again. Whoever
// opens the cache after that never gets a wrong byte.
func TestKillAtAnyInstant(t *testing.T) {
	rounds := 25
	if testing.Short() {
		rounds = 5
	}
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(7, 7))
	for round := range rounds {
		runVictim(t, dir, time.Duration(rng.IntN(300))*time.Millisecond)
		c := open(t, blobcache.Config{Dir: dir})
		var readers sync.WaitGroup
		for _, src := range victims() {
			readers.Go(func() {
				complete := c.State(src.object().ID).Complete
				b := get(t, c, src.object(), src)
				defer closeAll(t, b)
				if _, ok := b.LocalFile(); complete && !ok {
					t.Errorf("round %d: complete, but no local file", round)
				}
				for _, r := range sequence(0, src.size, 500*kib) {
					check(t, b, src.content, r.off, r.n)
				}
				made := src.object()
				made.ID += " made"
				m, err := c.Make(t.Context(), made, from(src.content, new(atomic.Int32)))
				if err != nil {
					t.Errorf("make: %v", err)
					return
				}
				defer closeAll(t, m)
				check(t, m, src.content, 0, src.size)
			})
		}
		readers.Wait()
		closeAll(t, c)
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
}

// runVictim starts a child and kills it some time after it began to work.
func runVictim(t *testing.T, dir string, after time.Duration) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKillVictim$", "-test.v")
	child.Env = append(os.Environ(), killDir+"="+dir)
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "ready" {
		t.Log(lines.Text())
	}
	timer := time.NewTimer(after)
	died := make(chan []byte, 1)
	go func() {
		rest, _ := io.ReadAll(out) // ends with the child
		died <- rest
	}()
	select {
	case rest := <-died:
		t.Fatalf("the child ended by itself: %s", rest)
	case <-timer.C:
	}
	must(t, child.Process.Kill())
	<-died
	if err := child.Wait(); err == nil {
		t.Fatal("the child was not killed")
	}
}
