// Package backendtest has the suite that every backend.Store and decorator
// passes ([Run]), and decorators that tests need: [Faulty] makes a store fail as
// planned, [Counting] counts what is asked of it.
package backendtest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"testing"

	"cosafs/backend"
)

// A Harness tells the suite about a store.
type Harness struct {
	// Properties are what the store must declare. What it declares is tested;
	// what it doesn't must be refused.
	Properties backend.Properties
	// Writes says whether the store is a [backend.Writer].
	Writes bool
	// Setup makes an empty store for one case, and a Seeder for it. The suite
	// closes the store.
	Setup func(t *testing.T) (backend.Store, Seeder)
}

// A Seeder creates or replaces an object behind the store's back, as another
// process would. The bytes are there when it returns.
type Seeder func(t *testing.T, key backend.Key, data []byte)

// A bench is what one case works with.
type bench struct {
	backend.Store
	h    Harness
	seed Seeder
}

// A suiteCase is one case. needs is nil if every store has to pass it.
type suiteCase struct {
	name  string
	needs func(Harness) bool
	run   func(t *testing.T, b bench)
}

func lists(h Harness) bool      { return h.Properties.Lists }
func writes(h Harness) bool     { return h.Writes }
func conditions(h Harness) bool { return h.Writes && h.Properties.Conditions }

func suite() []suiteCase {
	return []suiteCase{
		{"properties are as declared", nil, testProperties},
		{"missing key", nil, testMissing},
		{"key that is not valid", nil, testInvalidKey},
		{"stat", nil, testStat},
		{"zero length", nil, testZeroLength},
		{"odd ranges", nil, testRanges},
		{"past the end", nil, testPastEnd},
		{"changed since", nil, testChangedSince},
		{"changed while reading", nil, testChangedReading},
		{"ctx ended before", nil, testCancelledBefore},
		{"ctx ends while reading", nil, testCancelledReading},
		{"64 readers", nil, testManyReaders},
		{"close while reading", nil, testCloseReading},
		{"odd names", nil, testOddNames},
		{"list one level in name order", lists, testListLevel},
		{"list stops early", lists, testListStops},
		{"list nothing", lists, testListNothing},
		{"ctx ends while listing", lists, testListCancelled},
		{"put and replace", writes, testPut},
		{"put a short source", writes, testPutShort},
		{"put the wrong digest", writes, testPutDigest},
		{"put with ctx ended", writes, testPutCancelled},
		{"put under readers", writes, testPutUnderReaders},
		{"delete", writes, testDelete},
		{"if absent, one winner", conditions, testIfAbsentRace},
		{"if match, one winner", conditions, testIfMatchRace},
		{"if match loses no update", conditions, testCompareAndSwap},
		{"conditions on delete", conditions, testDeleteConditions},
		{"conditions that make no sense", writes, testBadConditions},
	}
}

// Run tests a store against the contract of [backend.Store] and [backend.Writer].
func Run(t *testing.T, h Harness) {
	t.Helper()
	for _, c := range suite() {
		t.Run(c.name, func(t *testing.T) {
			if c.needs != nil && !c.needs(h) {
				t.Skip("the store declares that it can't")
			}
			s, seed := h.Setup(t)
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			c.run(t, bench{Store: s, h: h, seed: seed})
		})
	}
}

func testProperties(t *testing.T, b bench) {
	if got := b.Properties(); got != b.h.Properties {
		t.Errorf("Properties() = %+v, want %+v", got, b.h.Properties)
	}
	w, ok := backend.As[backend.Writer](b.Store)
	if ok != b.h.Writes {
		t.Errorf("As[Writer] = %v, want %v", ok, b.h.Writes)
	}
	if !b.h.Properties.Lists {
		for _, err := range b.List(t.Context(), "") {
			wantErr(t, "List", err, errors.ErrUnsupported)
		}
	}
	if ok && !b.h.Properties.Conditions {
		_, err := w.Put(t.Context(), "a", source([]byte("x")), backend.Cond{IfAbsent: true})
		wantErr(t, "Put if absent", err, errors.ErrUnsupported)
	}
}

// all reads a whole object, in the version given.
func (b bench) all(t *testing.T, key backend.Key, version string) ([]byte, error) {
	t.Helper()
	return b.part(t, key, backend.Range{Len: backend.ToEnd}, version)
}

func (b bench) part(t *testing.T, key backend.Key, r backend.Range, version string) ([]byte, error) {
	t.Helper()
	body, err := b.Open(t.Context(), key, r, version)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(body)
	if cerr := body.Close(); cerr != nil {
		t.Errorf("Close of %s's body: %v", key, cerr)
	}
	return data, err
}

func (b bench) want(t *testing.T, key backend.Key, want []byte) {
	t.Helper()
	got, err := b.all(t, key, "")
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s holds %d bytes, %v; want %d bytes", key, len(got), err, len(want))
	}
}

func (b bench) wantAbsent(t *testing.T, key backend.Key) {
	t.Helper()
	_, err := b.Stat(t.Context(), key)
	wantIsAbsent(t, "Stat of "+string(key), err)
}

func (b bench) writer(t *testing.T) backend.Writer {
	t.Helper()
	w, ok := backend.As[backend.Writer](b.Store)
	if !ok {
		t.Fatal("the store is no Writer")
	}
	return w
}

// put stores data and must not fail.
func (b bench) put(t *testing.T, key backend.Key, data []byte) backend.Info {
	t.Helper()
	info, err := b.writer(t).Put(t.Context(), key, source(data), backend.Cond{})
	if err != nil {
		t.Fatalf("Put %s: %v", key, err)
	}
	return info
}

func source(data []byte) backend.Source {
	return backend.Source{ReaderAt: bytes.NewReader(data), Size: int64(len(data)), SHA256: sha256.Sum256(data)}
}

// pattern gives n bytes that differ for each seed and at each place.
func pattern(seed byte, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = seed + byte(i*7) + byte(i>>8)
	}
	return p
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v; want %v", what, err, want)
	}
}
