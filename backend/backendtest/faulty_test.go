package backendtest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"

	"cosafs/backend"
	"cosafs/backend/backendtest"
	"cosafs/backend/memstore"
)

func store(t *testing.T, plan ...backendtest.Fault) (backend.Store, *backendtest.Counts) {
	t.Helper()
	mem := &memstore.Store{}
	src := backend.Source{ReaderAt: bytes.NewReader([]byte("0123456789")), Size: 10}
	if _, err := mem.Put(t.Context(), "dir/a", src, backend.Cond{}); err != nil {
		t.Fatal(err)
	}
	return backendtest.Counting(backendtest.Faulty(mem, plan...))
}

func read(t *testing.T, s backend.Store, r backend.Range) (string, error) {
	t.Helper()
	body, err := s.Open(t.Context(), "dir/a", r, "")
	if err != nil {
		return "", err
	}
	defer func() {
		if err := body.Close(); err != nil {
			t.Error(err)
		}
	}()
	got, err := io.ReadAll(body)
	return string(got), err
}

func TestFaultyBodies(t *testing.T) {
	s, n := store(t,
		backendtest.Fault{Op: backendtest.Open, Nth: 1, At: 4, Err: io.ErrUnexpectedEOF},
		backendtest.Fault{Op: backendtest.Open, Nth: 2, At: 4, Corrupt: true},
		backendtest.Fault{Op: backendtest.Open, Nth: 3, Corrupt: true},
		backendtest.Fault{Op: backendtest.Open, Key: "dir/b", Err: io.ErrUnexpectedEOF},
	)
	for _, c := range []struct {
		want string
		err  error
	}{{"0123", io.ErrUnexpectedEOF}, {"0123\xcb56789", nil}, {"\xcf123456789", nil}, {"0123456789", nil}} {
		got, err := read(t, s, backend.Range{Len: backend.ToEnd})
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("read %q, %v; want %q, %v", got, err, c.want, c.err)
		}
	}
	if n.Calls(backendtest.Open) != 4 || n.Bytes(backendtest.Open) != 34 {
		t.Errorf("%d opens, %d bytes; want 4, 34", n.Calls(backendtest.Open), n.Bytes(backendtest.Open))
	}
}

func TestFaultySlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		s, _ := store(t, backendtest.Fault{Op: backendtest.Stat, Wait: gate})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		stat := func() {
			_, err := s.Stat(ctx, "dir/a")
			done <- err
		}
		go stat()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Stat: %v; want the end of ctx", err)
		}
		ctx = t.Context()
		go stat()
		synctest.Wait()
		close(gate)
		if err := <-done; err != nil {
			t.Errorf("Stat: %v", err)
		}
	})
}
