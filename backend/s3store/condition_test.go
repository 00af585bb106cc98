package s3store_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"cosafs/backend"
	"cosafs/backend/s3store"
)

var plainHTTP = (*httptest.Server).Start

func TestIgnoredConditionsAreRefused(t *testing.T) {
	s, _ := gateway(t)
	s.account(t)
	isDelete := func(s seen) bool { return s.method == http.MethodDelete }
	for _, c := range []struct {
		name        string
		change      func(http.ResponseWriter, *http.Request) bool
		put, remove bool // refused
		says        string
	}{
		{"all ignored", ignore(t, anything), true, true, "If-None-Match of a PUT"},
		{"multipart ignored", ignore(t, isComplete), true, true, "multipart upload"},
		{"delete ignored", ignore(t, isDelete), false, true, "DELETE"},
		{"not implemented", refuse(func(s seen) bool { return isPut(s) && strings.Contains(s.path, "/probe/") }, http.StatusNotImplemented, "NotImplemented"), true, true, "If-None-Match of a PUT"},
		{"all kept", nil, false, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newProxy(t, s.endpoint, plainHTTP)
			p.change = c.change
			cfg := s.config()
			cfg.Endpoint = p.URL
			store := open(t, cfg)
			old := put(t, store, "there", []byte("old"))
			_, err := store.Put(t.Context(), "new", source([]byte("x")), backend.Cond{IfAbsent: true})
			refused(t, "Put", err, c.put, store, c.says)
			refused(t, "CheckConditions", store.CheckConditions(t.Context()), c.put, store, c.says)
			refused(t, "Delete", store.Delete(t.Context(), "there", backend.Cond{IfMatch: old.Version}), c.remove, store, c.says)
			nothingIn(t, s, cfg.Prefix[:strings.LastIndex(cfg.Prefix, "/")]+"/.cosafs")
		})
	}
}

func refused(t *testing.T, what string, err error, want bool, store *s3store.Store, says string) {
	t.Helper()
	switch {
	case !want && err != nil:
		t.Errorf("%s: %v", what, err)
	case want && !errors.Is(err, errors.ErrUnsupported):
		t.Errorf("%s: %v; want ErrUnsupported", what, err)
	case want && (!strings.Contains(err.Error(), store.String()) || !strings.Contains(err.Error(), says)):
		t.Errorf("%s: %v; want the store's name and %q", what, err, says)
	}
}

// nothingIn checks that a prefix of the bucket is empty.
func nothingIn(t *testing.T, s server, prefix string) {
	t.Helper()
	cfg := s.config()
	cfg.Prefix = prefix
	for info, err := range open(t, cfg).Walk(t.Context(), "") {
		t.Errorf("left over: %+v, %v", info, err)
	}
}

// A store that ignores conditions will do for one process.
func TestSuiteAsSinglePublisher(t *testing.T) {
	s, _ := gateway(t)
	s.account(t)
	p := newProxy(t, s.endpoint, plainHTTP)
	p.change = ignore(t, anything)
	s.endpoint = p.URL
	s.suite(t, func(c *s3store.Config) { c.SinglePublisher = true }, plain)
}

// A probe whose result is not clear is no result, and is repeated.
func TestProbeThatFails(t *testing.T) {
	s, _ := gateway(t)
	s.account(t)
	var healthy atomic.Bool
	p := newProxy(t, s.endpoint, plainHTTP)
	broken := refuse(isPut, http.StatusServiceUnavailable, "SlowDown")
	p.change = func(w http.ResponseWriter, r *http.Request) bool { return healthy.Load() || broken(w, r) }
	cfg := s.config()
	cfg.Endpoint = p.URL
	store := open(t, cfg)
	_, err := store.Put(t.Context(), "a", source(nil), backend.Cond{IfAbsent: true})
	if err == nil || backend.Final(err) {
		t.Errorf("Put to an overloaded store: %v; want a mishap", err)
	}
	healthy.Store(true)
	for i := range 2 {
		if _, err := store.Put(t.Context(), backend.Key(fmt.Sprint("a", i)), source(nil), backend.Cond{IfAbsent: true}); err != nil {
			t.Error(err)
		}
		if i == 0 {
			p.forget() // the second finds the result of the probe
		}
	}
	if n := len(p.requests(anything)); n != 1 {
		t.Errorf("%d requests for the second conditional Put; want 1", n)
	}
}

func TestFiftyWritersOneWins(t *testing.T) {
	s, _ := gateway(t)
	s.account(t)
	store := open(t, s.config())
	var won atomic.Int64
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			_, err := store.Put(t.Context(), "file", source([]byte(fmt.Sprint(i))), backend.Cond{IfAbsent: true})
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, backend.ErrCondition):
				t.Errorf("writer %d: %v; want ErrCondition", i, err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d writers won; want 1", won.Load())
	}
}

// An answer that is lost after the write must not pass for an answer.
func TestAnswerLost(t *testing.T) {
	s, _ := gateway(t)
	s.account(t)
	var losing atomic.Int64 // so many answers yet
	p := newProxy(t, s.endpoint, plainHTTP)
	p.lose = func(r *http.Request) bool {
		return r.Method != http.MethodGet && strings.Contains(r.URL.Path, "/file") && losing.Add(-1) >= 0
	}
	cfg := s.config()
	cfg.Endpoint = p.URL
	store := open(t, cfg)
	w, _ := backend.As[backend.Writer](backend.Retry(store, backend.Policy{}))

	losing.Store(1)
	_, err := w.Put(t.Context(), "file", source([]byte("mine")), backend.Cond{IfAbsent: true})
	if err == nil || backend.Final(err) {
		t.Fatalf("conditional Put: %v; want an error that leaves it open", err)
	}
	if got := read(t, store, "file"); got != "mine" {
		t.Errorf("read back %q; want mine", got)
	}
	losing.Store(2)
	if _, err := w.Put(t.Context(), "file", source([]byte("other")), backend.Cond{}); err != nil {
		t.Errorf("Put: %v; want another try", err)
	}
	losing.Store(1)
	if err := w.Delete(t.Context(), "file", backend.Cond{}); err != nil {
		t.Errorf("Delete: %v; want another try", err)
	}
}

// A 409 says that another write was in the way, not who won.
func TestConflictIsNoAnswer(t *testing.T) {
	s, _ := gateway(t)
	s.account(t)
	p := newProxy(t, s.endpoint, plainHTTP)
	p.change = refuse(func(s seen) bool { return isPut(s) && strings.HasSuffix(s.path, "/file") }, http.StatusConflict, "ConditionalRequestConflict")
	cfg := s.config()
	cfg.Endpoint = p.URL
	_, err := open(t, cfg).Put(t.Context(), "file", source(nil), backend.Cond{IfAbsent: true})
	if err == nil || backend.Final(err) {
		t.Errorf("Put: %v; want an error that leaves it open", err)
	}
}

// read gives all of an object.
func read(t *testing.T, s backend.Store, key backend.Key) string {
	t.Helper()
	body, err := s.Open(t.Context(), key, backend.Range{Len: backend.ToEnd}, "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = body.Close() }() // read to its end
	var b bytes.Buffer
	if _, err := b.ReadFrom(body); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
