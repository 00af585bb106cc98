package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"cosafs/cmd/internal/auth"
)

// A flood of wrong passwords gets half of the processors at most, and no more
// tries than one after the other would; the rest is told to come again.
func TestFlood(t *testing.T) {
	f := open(t, auth.Config{Htpasswd: file(t, line(t, "alice", "a")), AllowPlain: true})
	f.want(t, request{user: "alice", password: "a"}, 200, "")
	var running, most atomic.Int64
	entered, release := make(chan struct{}, 1000), make(chan struct{})
	f.SetCompare(func(_, _ []byte) error {
		f.bcrypts.Add(1)
		now := running.Add(1)
		defer running.Add(-1)
		for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
		}
		entered <- struct{}{}
		<-release
		return errors.New("wrong")
	})
	const floods = 500
	codes := make(chan int, floods)
	var wg sync.WaitGroup
	for i := range floods {
		wg.Go(func() {
			codes <- f.ask(t, request{from: "192.0.2.1:1", user: fmt.Sprint("guess", i), password: "x"}).Code
		})
	}
	<-entered
	f.want(t, request{user: "alice", password: "a"}, 200, "") // while the flood goes on
	close(release)
	wg.Wait()
	close(codes)
	got := map[int]int{}
	for code := range codes {
		got[code]++
	}
	slots := max(1, runtime.GOMAXPROCS(0)/2)
	if total := f.bcrypts.Load(); most.Load() > int64(slots) || total > int64(auth.FreeFailures+slots) {
		t.Errorf("%d comparisons, up to %d at once", total, most.Load())
	}
	if got[401] < auth.FreeFailures || got[401] > auth.FreeFailures+slots-1 || got[401]+got[429]+got[503] != floods {
		t.Errorf("answers %v, want %d times 401", got, auth.FreeFailures)
	}
	if n := strings.Count(f.log.String(), "wrong login"); n > auth.FreeFailures+slots {
		t.Errorf("%d lines in the log", n)
	}
}

// Connections that one client opens at once with a password that nobody saw
// before cost one comparison a slot.
func TestSamePasswordAtOnce(t *testing.T) {
	f := open(t, auth.Config{Htpasswd: file(t, line(t, "alice", "a"))})
	var wg sync.WaitGroup
	for range auth.QueueMost {
		wg.Go(func() { f.want(t, request{user: "alice", password: "a"}, 200, "") })
	}
	wg.Wait()
	if got, slots := f.bcrypts.Load(), int64(max(1, runtime.GOMAXPROCS(0)/2)); got > slots {
		t.Errorf("%d comparisons, want %d at most", got, slots)
	}
}

// A client that leaves while it waits takes no slot, and a full queue says so.
func TestQueue(t *testing.T) {
	f := open(t, auth.Config{Htpasswd: file(t, line(t, "alice", "a"))})
	entered, release := make(chan struct{}, 1000), make(chan struct{})
	f.SetCompare(func(_, _ []byte) error {
		entered <- struct{}{}
		<-release
		return nil
	})
	slots := max(1, runtime.GOMAXPROCS(0)/2)
	var busy sync.WaitGroup
	for i := range slots {
		busy.Go(func() { f.want(t, request{user: "alice", password: fmt.Sprint(i)}, 200, "") })
	}
	for range slots {
		<-entered
	}
	ctx, leave := context.WithCancel(t.Context())
	var queue sync.WaitGroup
	full := make(chan string, 1000)
	for i := range auth.QueueMost + 1 {
		w, r := httptest.NewRecorder(), request{user: "alice", password: fmt.Sprint("q", i)}.build(t).WithContext(ctx)
		queue.Go(func() {
			f.handler.ServeHTTP(w, r)
			if w.Code != http.StatusServiceUnavailable {
				t.Errorf("waiting: %d", w.Code)
			}
			full <- w.Header().Get("Retry-After")
		})
	}
	if after := <-full; after != "1" { // one too many, before anyone left
		t.Errorf("Retry-After %q", after)
	}
	leave()
	queue.Wait()
	close(release)
	busy.Wait()
	f.want(t, request{user: "alice", password: "later"}, 200, "")
	if n := len(entered); n != 1 {
		t.Errorf("%d comparisons for those who left", n-1)
	}
}
