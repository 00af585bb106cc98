package backend_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"cosafs/backend"
	"cosafs/backend/backendtest"
	"cosafs/backend/memstore"
)

var errCut = errors.New("connection reset")

// flaky gives a store with some objects, faults above it and Retry above those.
func flaky(t *testing.T, p backend.Policy, plan ...backendtest.Fault) (backend.Store, *backendtest.Counts) {
	t.Helper()
	mem := &memstore.Store{}
	for _, key := range []backend.Key{"a", "b", "c", "d"} {
		if _, err := mem.Put(t.Context(), key, bytesOf("0123456789"), backend.Cond{}); err != nil {
			t.Fatal(err)
		}
	}
	counted, n := backendtest.Counting(backendtest.Faulty(mem, plan...))
	return backend.Retry(counted, p), n
}

func bytesOf(s string) backend.Source {
	return backend.Source{ReaderAt: bytes.NewReader([]byte(s)), Size: int64(len(s))}
}

func TestRetryTriesMishapsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, n := flaky(t, backend.Policy{},
			backendtest.Fault{Op: backendtest.Stat, Nth: 1, Err: errCut},
			backendtest.Fault{Op: backendtest.Stat, Nth: 2, Err: context.DeadlineExceeded}, // a request's, not ours
		)
		info, err := s.Stat(t.Context(), "a")
		if err != nil || info.Size != 10 || n.Calls(backendtest.Stat) != 3 {
			t.Errorf("Stat = %+v, %v after %d calls; want success at the third", info, err, n.Calls(backendtest.Stat))
		}
	})
}

func TestRetryGivesUp(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy backend.Policy
		calls  int
	}{
		{"after its tries", backend.Policy{Tries: 3}, 3},
		{"after its budget", backend.Policy{Tries: 100, First: 40 * time.Second, Max: time.Hour, Budget: time.Minute}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, n := flaky(t, c.policy, backendtest.Fault{Op: backendtest.Stat, Err: errCut})
				_, err := s.Stat(t.Context(), "a")
				if !errors.Is(err, errCut) || n.Calls(backendtest.Stat) > c.calls {
					t.Errorf("Stat: %v after %d calls; want the cause after at most %d", err, n.Calls(backendtest.Stat), c.calls)
				}
			})
		})
	}
}

func TestRetryLetsAnswersPass(t *testing.T) {
	for _, answer := range []error{fs.ErrNotExist, fs.ErrPermission, backend.ErrChanged, backend.ErrRange, errors.ErrUnsupported} {
		s, n := flaky(t, backend.Policy{}, backendtest.Fault{Op: backendtest.Stat, Err: answer})
		_, err := s.Stat(t.Context(), "a")
		if !errors.Is(err, answer) || n.Calls(backendtest.Stat) != 1 {
			t.Errorf("Stat: %v after %d calls; want %v after one", err, n.Calls(backendtest.Stat), answer)
		}
	}
}

func TestRetryWaitEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := flaky(t, backend.Policy{First: time.Hour, Max: time.Hour, Budget: 24 * time.Hour}, backendtest.Fault{Op: backendtest.Stat, Err: errCut})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := s.Stat(ctx, "a")
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errCut) || time.Since(start) != time.Second {
			t.Errorf("Stat: %v after %v; want both causes after 1s", err, time.Since(start))
		}
	})
}

func readAll(t *testing.T, s backend.Store, r backend.Range, version string) (string, error) {
	t.Helper()
	body, err := s.Open(t.Context(), "a", r, version)
	if err != nil {
		return "", err
	}
	got, err := io.ReadAll(body)
	if cerr := body.Close(); cerr != nil {
		t.Error(cerr)
	}
	return string(got), err
}

func TestRetryResumesPinnedBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, r := range []backend.Range{{Off: 1, Len: 8}, {Off: 1, Len: backend.ToEnd}} {
			s, n := flaky(t, backend.Policy{},
				backendtest.Fault{Op: backendtest.Open, Nth: 1, At: 3, Err: io.ErrUnexpectedEOF},
				backendtest.Fault{Op: backendtest.Open, Nth: 2, Err: errCut},
				backendtest.Fault{Op: backendtest.Open, Nth: 3, At: 1, Err: errCut},
			)
			info, err := s.Stat(t.Context(), "a")
			if err != nil {
				t.Fatal(err)
			}
			want := "123456789"
			if r.Len > 0 {
				want = want[:r.Len]
			}
			got, err := readAll(t, s, r, info.Version)
			if err != nil || got != want || n.Calls(backendtest.Open) != 4 {
				t.Errorf("%+v: %q, %v after %d opens; want %q after 4", r, got, err, n.Calls(backendtest.Open), want)
			}
		}
	})
}

func TestRetryDoesNotResumeWithoutVersion(t *testing.T) {
	s, n := flaky(t, backend.Policy{}, backendtest.Fault{Op: backendtest.Open, Nth: 1, At: 3, Err: errCut})
	got, err := readAll(t, s, backend.Range{Len: backend.ToEnd}, "")
	if got != "012" || !errors.Is(err, errCut) || n.Calls(backendtest.Open) != 1 {
		t.Errorf("read %q, %v after %d opens; want the part and the cause", got, err, n.Calls(backendtest.Open))
	}
}

func TestRetryResumeFindsChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := flaky(t, backend.Policy{}, backendtest.Fault{Op: backendtest.Open, Nth: 1, At: 3, Err: errCut})
		info, err := s.Stat(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		body, err := s.Open(t.Context(), "a", backend.Range{Len: backend.ToEnd}, info.Version)
		if err != nil {
			t.Fatal(err)
		}
		w, _ := backend.As[backend.Writer](s)
		if _, err := w.Put(t.Context(), "a", bytesOf("ABCDEFGHIJ"), backend.Cond{}); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(body)
		if string(got) != "012" || !errors.Is(err, backend.ErrChanged) {
			t.Errorf("read %q, %v; want 012, ErrChanged", got, err)
		}
		if err := body.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestRetryCloseEndsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := flaky(t, backend.Policy{First: time.Hour, Max: time.Hour, Budget: 24 * time.Hour},
			backendtest.Fault{Op: backendtest.Open, Nth: 1, At: 3, Err: errCut})
		info, err := s.Stat(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		body, err := s.Open(t.Context(), "a", backend.Range{Len: backend.ToEnd}, info.Version)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() {
			_, err := io.ReadAll(body)
			done <- err
		}()
		synctest.Wait() // the reader waits to open again
		if err := body.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, fs.ErrClosed) {
			t.Errorf("Read: %v; want ErrClosed", err)
		}
	})
}

func TestRetryResumesList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, n := flaky(t, backend.Policy{},
			backendtest.Fault{Op: backendtest.List, Nth: 1, At: 2, Err: errCut},
			backendtest.Fault{Op: backendtest.List, Nth: 2, Err: errCut},
		)
		var got []backend.Key
		for info, err := range s.List(t.Context(), "") {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, info.Key)
		}
		if want := []backend.Key{"a", "b", "c", "d"}; !slices.Equal(got, want) || n.Calls(backendtest.List) != 3 {
			t.Errorf("List = %q after %d calls; want %q after 3", got, n.Calls(backendtest.List), want)
		}
	})
}

func TestRetryOfWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, n := flaky(t, backend.Policy{}, backendtest.Fault{Op: backendtest.Put, Nth: 1, Err: errCut, Late: true},
			backendtest.Fault{Op: backendtest.Put, Nth: 3, Err: errCut, Late: true})
		w, ok := backend.As[backend.Writer](s)
		if !ok {
			t.Fatal("Retry hides the Writer")
		}
		if _, err := w.Put(t.Context(), "new", bytesOf("x"), backend.Cond{}); err != nil || n.Calls(backendtest.Put) != 2 {
			t.Errorf("Put: %v after %d calls; want success at the second", err, n.Calls(backendtest.Put))
		}
		// The answer is lost, though the object is there. A second try would
		// report a condition that does not hold.
		_, err := w.Put(t.Context(), "once", bytesOf("x"), backend.Cond{IfAbsent: true})
		if !errors.Is(err, errCut) || n.Calls(backendtest.Put) != 3 {
			t.Errorf("Put if absent: %v after %d calls; want the cause after one", err, n.Calls(backendtest.Put)-2)
		}
	})
}
