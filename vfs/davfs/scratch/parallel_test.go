package scratch_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"cosafs/vfs/davfs/scratch"
)

const (
	writers = 50
	turns   = 2
	// contenders ask for the lock at once; more would only make more requests.
	contenders = 4
)

// TestParallelWriters lets 50 writers count in one file, each under its lock:
// nothing is lost only if locks exclude. Each writes files of its own besides.
func TestParallelWriters(t *testing.T) {
	s := serve(t, scratch.Config{})
	s.want(t, http.StatusCreated, "PUT", "count", "0")
	var wg sync.WaitGroup
	errs := make(chan error, writers)
	gate := make(chan struct{}, contenders)
	for i := range writers {
		wg.Go(func() {
			for turn := range turns {
				if err := s.turn(t.Context(), gate, fmt.Sprintf("own%d", i), turn); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	if got := s.want(t, http.StatusOK, "GET", "count", ""); got.body != strconv.Itoa(writers*turns) {
		t.Errorf("the count is %s, want %d", got.body, writers*turns)
	}
	s.want(t, http.StatusNoContent, "DELETE", "count", "")
}

// turn writes a file, counts and renames the file.
func (s *site) turn(ctx context.Context, gate chan struct{}, own string, turn int) error {
	if err := s.expect(ctx, 300, "PUT", own, own); err != nil {
		return err
	}
	gate <- struct{}{}
	err := s.count(ctx)
	<-gate
	if err != nil {
		return err
	}
	return s.expect(ctx, 300, "MOVE", own, "", "Destination", s.url(fmt.Sprintf("%s-%d", own, turn)))
}

// count adds one under a lock, which it waits for by asking.
func (s *site) count(ctx context.Context) error {
	var token string
	for token == "" {
		got, err := s.try(ctx, "LOCK", "count", strings.NewReader(lockBody("LOCK", "exclusive")))
		if err != nil {
			return err
		}
		if got.status != http.StatusLocked && got.status != http.StatusOK {
			return fmt.Errorf("LOCK: %d %s", got.status, got.body)
		}
		token = got.header.Get("Lock-Token")
	}
	got, err := s.try(ctx, "GET", "count", http.NoBody)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(got.body)
	if err != nil {
		return err
	}
	if err := s.expect(ctx, 300, "PUT", "count", strconv.Itoa(n+1), "If", "("+token+")"); err != nil {
		return err
	}
	return s.expect(ctx, 300, "UNLOCK", "count", "", "Lock-Token", token)
}

// expect sends a request whose status is to be below one.
func (s *site) expect(ctx context.Context, below int, method, path, body string, header ...string) error {
	got, err := s.try(ctx, method, path, strings.NewReader(body), header...)
	if err == nil && got.status >= below {
		err = fmt.Errorf("%s %s: %d %s", method, path, got.status, got.body)
	}
	return err
}

// TestParallelPutsOfOneFile writes without locks: each answer is a whole version
// that was stored, or 423; what is there at the end is one of these.
func TestParallelPutsOfOneFile(t *testing.T) {
	s := serve(t, scratch.Config{Quota: 100 << 20})
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		stored = map[string]bool{}
	)
	for i := range writers {
		wg.Go(func() {
			body := string(version(i))
			got, err := s.try(t.Context(), "PUT", "a", strings.NewReader(body))
			switch {
			case err != nil || got.status >= 300 && got.status != http.StatusLocked:
				t.Errorf("PUT: %d %s, %v", got.status, got.body, err)
			case got.status < 300:
				mu.Lock()
				stored[body] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if got := s.want(t, http.StatusOK, "GET", "a", ""); !stored[got.body] {
		t.Errorf("what is there was not stored: %d bytes", len(got.body))
	}
	wantFiles(t, s.dir, "a")
}
