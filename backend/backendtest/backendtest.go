// Package backendtest has the suite that every backend.Store and decorator
// passes ([Run]), and decorators that tests need: [Faulty] makes a store fail as
// planned, [Counting] counts what is asked of it.
package backendtest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
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
	// Walks says whether the store is a [backend.Walker], and so walks in byte order.
	Walks bool
	// Digests says whether the store gives back the sha256 of what it was given.
	Digests bool
	// Cuts says that reading may fail while the object is being replaced: a mishap,
	// and never other bytes. No store should, but some servers behind stores do.
	Cuts bool
	// Setup makes an empty store for one case, and a Seeder for it. The suite
	// closes the store.
	Setup func(t *testing.T) (backend.Store, Seeder)
}

// A Seeder creates or replaces an object behind the store's back, as another
// process would. The bytes are there when it returns.
type Seeder func(t *testing.T, key backend.Key, data []byte)

// A bench is what one case works with.
type bench struct {
	*testing.T
	backend.Store
	h    Harness
	seed func(backend.Key, []byte)
}

// A suiteCase is one case. needs is nil if every store has to pass it.
type suiteCase struct {
	name  string
	needs func(Harness) bool
	run   func(b bench)
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
		{"walk", lists, testWalk},
		{"walk stops early", lists, testWalkStops},
		{"ctx ends while walking", lists, testWalkCancelled},
		{"put and replace", writes, testPut},
		{"digest", writes, testDigest},
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
			c.run(bench{T: t, Store: s, h: h, seed: func(key backend.Key, data []byte) { seed(t, key, data) }})
		})
	}
}

func testProperties(b bench) {
	if got := b.Properties(); got != b.h.Properties {
		b.Errorf("Properties() = %+v, want %+v", got, b.h.Properties)
	}
	w, ok := backend.As[backend.Writer](b.Store)
	if ok != b.h.Writes {
		b.Errorf("As[Writer] = %v, want %v", ok, b.h.Writes)
	}
	if !b.h.Properties.Lists {
		for _, err := range b.List(b.Context(), "") {
			b.wantErr("List", err, errors.ErrUnsupported)
		}
	}
	if ok && !b.h.Properties.Conditions {
		_, err := w.Put(b.Context(), "a", source([]byte("x")), backend.Cond{IfAbsent: true})
		b.wantErr("Put if absent", err, errors.ErrUnsupported)
	}
}

// all reads a whole object, in the version given.
func (b bench) all(key backend.Key, version string) ([]byte, error) {
	b.Helper()
	return b.part(key, backend.Range{Len: backend.ToEnd}, version)
}

func (b bench) part(key backend.Key, r backend.Range, version string) ([]byte, error) {
	b.Helper()
	body, err := b.Open(b.Context(), key, r, version)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(body)
	if cerr := body.Close(); cerr != nil {
		b.Errorf("Close of %s's body: %v", key, cerr)
	}
	return data, err
}

func (b bench) want(key backend.Key, want []byte) {
	b.Helper()
	got, err := b.all(key, "")
	if err != nil || !bytes.Equal(got, want) {
		b.Errorf("%s holds %d bytes (%.20q), %v; want %d (%.20q)", key, len(got), got, err, len(want), want)
	}
}

func (b bench) wantAbsent(key backend.Key) {
	b.Helper()
	_, err := b.Stat(b.Context(), key)
	b.wantErr("Stat of "+string(key), err, fs.ErrNotExist)
}

func (b bench) writer() backend.Writer {
	b.Helper()
	w, ok := backend.As[backend.Writer](b.Store)
	if !ok {
		b.Fatal("the store is no Writer")
	}
	return w
}

// put stores data and must not fail.
func (b bench) put(key backend.Key, data []byte) backend.Info {
	b.Helper()
	info, err := b.writer().Put(b.Context(), key, source(data), backend.Cond{})
	if err != nil {
		b.Fatalf("Put %s: %v", key, err)
	}
	return info
}

func source(data []byte) backend.Source {
	return backend.Source{ReaderAt: bytes.NewReader(data), Size: int64(len(data)), SHA256: sha256.Sum256(data)}
}

// pattern gives n bytes that differ for each seed. They repeat, but not at any
// distance that a chunk or buffer has: 65521 is a prime.
func pattern(seed byte, n int) []byte {
	const period = 65521
	p := make([]byte, n)
	for i := range min(n, period) {
		p[i] = seed + byte(i*7) + byte(i>>8)
	}
	for done := period; done < n; done *= 2 {
		copy(p[done:], p[:done])
	}
	return p
}

// cut says whether reading failed in the way that the store says it may.
func (b bench) cut(err error) bool { return b.h.Cuts && err != nil && !backend.Final(err) }

func (b bench) wantErr(what string, err, want error) {
	b.Helper()
	if !errors.Is(err, want) {
		b.Errorf("%s: %v; want %v", what, err, want)
	}
}
