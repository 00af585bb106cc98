package cas_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"cosafs/backend"
	"cosafs/backend/backendtest"
	"cosafs/backend/memstore"
	"cosafs/cmd/internal/cas"
)

var errCut = errors.New("connection cut")

// appendLine is a change that finds its own work done.
func appendLine(line string) cas.Change {
	return func(_ context.Context, old []byte) ([]byte, error) {
		if strings.Contains(string(old), line+"\n") {
			return old, nil
		}
		return append(old[:len(old):len(old)], line+"\n"...), nil
	}
}

func read(t *testing.T, s backend.Store) string {
	t.Helper()
	data, _, err := cas.Read(t.Context(), s, "doc")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// All writers' changes are in the end there once, although every third answer is
// lost, before or after the fact.
func TestManyWritersLoseNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &memstore.Store{}
		var plan []backendtest.Fault
		for n := 3; n < 300; n += 3 {
			plan = append(plan, backendtest.Fault{Op: backendtest.Put, Nth: n, Late: n%2 == 0, Err: errCut})
		}
		doc := cas.Document{Store: backendtest.Faulty(s, plan...), Key: "doc"}
		const writers = 30
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() {
				if _, err := doc.Update(t.Context(), appendLine(fmt.Sprint("line ", i, "."))); err != nil {
					t.Errorf("writer %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		got := read(t, s)
		for i := range writers {
			if n := strings.Count(got, fmt.Sprint("line ", i, ".\n")); n != 1 {
				t.Errorf("line %d is there %d times", i, n)
			}
		}
	})
}

// A write that happened is not made twice, also if the change can't tell.
func TestLostAnswerIsReadBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &memstore.Store{}
		doc := cas.Document{Store: backendtest.Faulty(s, backendtest.Fault{Op: backendtest.Put, Nth: 1, Late: true, Err: errCut}), Key: "doc"}
		wrote, err := doc.Update(t.Context(), func(_ context.Context, old []byte) ([]byte, error) {
			return append(old[:len(old):len(old)], "once\n"...), nil
		})
		if got := read(t, s); !wrote || err != nil || got != "once\n" {
			t.Errorf("%v, %v: %q", wrote, err, got)
		}
	})
}

func TestUpdateSaysWhetherItWrote(t *testing.T) {
	s := &memstore.Store{}
	doc := cas.Document{Store: s, Key: "doc"}
	for _, want := range []bool{true, false} {
		if wrote, err := doc.Update(t.Context(), appendLine("a")); wrote != want || err != nil {
			t.Errorf("Update: %v, %v; want %v", wrote, err, want)
		}
	}
	nothing := func(context.Context, []byte) ([]byte, error) { return nil, nil }
	if wrote, err := doc.Update(t.Context(), nothing); wrote || err != nil || read(t, s) != "a\n" {
		t.Errorf("a change that is none: %v, %v", wrote, err)
	}
}

func TestUpdateFails(t *testing.T) {
	errMine := errors.New("mine")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx   context.Context
		store backend.Store
		do    cas.Change
		want  error
	}{
		"by the change":         {t.Context(), &memstore.Store{}, func(context.Context, []byte) ([]byte, error) { return nil, errMine }, errMine},
		"without permission":    {t.Context(), backendtest.Faulty(&memstore.Store{}, backendtest.Fault{Op: backendtest.Put, Err: fs.ErrPermission}), appendLine("a"), fs.ErrPermission},
		"without conditions":    {t.Context(), backendtest.Faulty(&memstore.Store{}, backendtest.Fault{Op: backendtest.Put, Err: errors.ErrUnsupported}), appendLine("a"), errors.ErrUnsupported},
		"on a read-only one":    {t.Context(), readOnly{&memstore.Store{}}, appendLine("a"), errors.ErrUnsupported},
		"when it is over":       {cancelled, &memstore.Store{}, appendLine("a"), context.Canceled},
		"where it may not look": {t.Context(), backendtest.Faulty(&memstore.Store{}, backendtest.Fault{Op: backendtest.Stat, Err: fs.ErrPermission}), appendLine("a"), fs.ErrPermission},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := (cas.Document{Store: c.store, Key: "doc"}).Update(c.ctx, c.do); !errors.Is(err, c.want) {
				t.Errorf("%v; want %v", err, c.want)
			}
		})
	}
}

// torn is a server that checks the version first and opens the file later: for
// its first reads the object is replaced in between. It may keep no digests.
type torn struct {
	*memstore.Store
	left    int
	digests bool
}

// Stat implements [backend.Store].
func (s *torn) Stat(ctx context.Context, key backend.Key) (backend.Info, error) {
	info, err := s.Store.Stat(ctx, key)
	if !s.digests {
		info.SHA256 = [32]byte{}
	}
	return info, err
}

// Open implements [backend.Store].
func (s *torn) Open(ctx context.Context, key backend.Key, r backend.Range, version string) (io.ReadCloser, error) {
	if s.left == 0 {
		return s.Store.Open(ctx, key, r, version)
	}
	s.left--
	data := []byte(strings.Repeat("new and longer\n", s.left+2))
	if _, err := s.Put(ctx, key, cas.Source(data, ""), backend.Cond{}); err != nil {
		return nil, err
	}
	return s.Store.Open(ctx, key, r, "")
}

// What is read is one version, whole, also from such a server.
func TestReadIsNeverTorn(t *testing.T) {
	for _, digests := range []bool{true, false} {
		s := &torn{Store: &memstore.Store{}, left: 3, digests: digests}
		if _, err := s.Put(t.Context(), "doc", cas.Source([]byte("old\n"), ""), backend.Cond{}); err != nil {
			t.Fatal(err)
		}
		data, version, err := cas.Read(t.Context(), s, "doc")
		now, _ := s.Stat(t.Context(), "doc")
		if err != nil || version != now.Version || string(data) != strings.Repeat("new and longer\n", 2) {
			t.Errorf("digests %v: %q, version %s of %s, %v", digests, data, version, now.Version, err)
		}
	}
}

type readOnly struct{ backend.Store }

// A dead store is given up on in the end; until then it is asked ever more rarely.
func TestGivesUpOnDeadStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, n := backendtest.Counting(backendtest.Faulty(&memstore.Store{}, backendtest.Fault{Op: backendtest.Put, Err: errCut}))
		if _, err := (cas.Document{Store: s, Key: "doc"}).Update(t.Context(), appendLine("a")); !errors.Is(err, errCut) {
			t.Errorf("%v; want the store's error", err)
		}
		if got := n.Calls(backendtest.Put); got < 10 || got > 1000 {
			t.Errorf("it was asked %d times", got)
		}
	})
}
