package memstore_test

import (
	"bytes"
	"testing"

	"cosafs/backend"
	"cosafs/backend/backendtest"
	"cosafs/backend/memstore"
)

// seeder puts into the store itself: memory has no back.
func seeder(s *memstore.Store) backendtest.Seeder {
	return func(t *testing.T, key backend.Key, data []byte) {
		t.Helper()
		src := backend.Source{ReaderAt: bytes.NewReader(data), Size: int64(len(data))}
		if _, err := s.Put(t.Context(), key, src, backend.Cond{}); err != nil {
			t.Fatal(err)
		}
	}
}

// harness is memstore's, with a decorator around it.
func harness(decorate func(backend.Store) backend.Store) backendtest.Harness {
	return backendtest.Harness{
		Properties: backend.Properties{Ranges: true, Lists: true, Conditions: true},
		Writes:     true,
		Walks:      true,
		Digests:    true,
		Setup: func(*testing.T) (backend.Store, backendtest.Seeder) {
			s := &memstore.Store{}
			return decorate(s), seeder(s)
		},
	}
}

func TestStore(t *testing.T) {
	backendtest.Run(t, harness(func(s backend.Store) backend.Store { return s }))
}

func TestRetry(t *testing.T) {
	backendtest.Run(t, harness(func(s backend.Store) backend.Store { return backend.Retry(s, backend.Policy{}) }))
}

func TestCounting(t *testing.T) {
	backendtest.Run(t, harness(func(s backend.Store) backend.Store {
		c, _ := backendtest.Counting(s)
		return c
	}))
}

func TestFaultyWithoutFaults(t *testing.T) {
	backendtest.Run(t, harness(func(s backend.Store) backend.Store { return backendtest.Faulty(s) }))
}

// readOnly hides the Writer.
type readOnly struct{ backend.Store }

func TestDecoratorsOfReadOnlyStore(t *testing.T) {
	h := harness(func(s backend.Store) backend.Store {
		c, _ := backendtest.Counting(backendtest.Faulty(backend.Retry(readOnly{s}, backend.Policy{})))
		return c
	})
	h.Writes, h.Walks = false, false
	backendtest.Run(t, h)
}
