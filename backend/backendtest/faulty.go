package backendtest

import (
	"context"
	"io"
	"iter"
	"sync"

	"cosafs/backend"
)

// A Fault is one thing that goes wrong: which call it hits, and what happens to
// that call. A call that several faults hit suffers the first of them.
type Fault struct {
	Op  Op
	Key backend.Key // the key, or a list's prefix; "" hits all
	Nth int         // which of the calls with that Op and Key, from 1; 0 hits all

	// Wait delays the call, or a body's Read at byte At, until it is closed or
	// ctx ends.
	Wait <-chan struct{}
	// Err fails the call; a body fails with it at byte At, a list after At entries.
	Err error
	// Late lets a Put or Delete happen and loses its answer: Err comes instead.
	Late bool
	// Corrupt flips the bits of a body's byte At.
	Corrupt bool
	// At is counted from the start of the range. With 0, Open itself waits or fails.
	At int64
}

// Faulty makes s fail by a plan. It counts calls by fault, so that two faults
// for the first and the second call of the same kind both happen.
func Faulty(s backend.Store, plan ...Fault) backend.Store {
	f := &faulty{Store: s, plan: plan, seen: make([]int, len(plan))}
	if w, ok := backend.As[backend.Writer](s); ok {
		return &faultyWriter{faulty: f, w: w}
	}
	return f
}

type faulty struct {
	backend.Store
	plan []Fault

	mu   sync.Mutex // guards seen
	seen []int      // calls so far, by fault
}

func (f *faulty) Unwrap() backend.Store { return f.Store }

// hit counts a call and gives the fault that it suffers; the zero Fault is none.
func (f *faulty) hit(op Op, key backend.Key) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found Fault
	for i, p := range f.plan {
		if p.Op != op || p.Key != "" && p.Key != key {
			continue
		}
		f.seen[i]++
		if found.Op == "" && (p.Nth == 0 || p.Nth == f.seen[i]) {
			found = p
		}
	}
	return found
}

// before does what a fault does to a call as such.
func (f Fault) before(ctx context.Context) error {
	if f.At > 0 {
		return nil
	}
	if err := f.wait(ctx); err != nil {
		return err
	}
	if f.Late {
		return nil
	}
	return f.Err
}

func (f Fault) wait(ctx context.Context) error {
	if f.Wait == nil {
		return nil
	}
	select {
	case <-f.Wait:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *faulty) Stat(ctx context.Context, key backend.Key) (backend.Info, error) {
	if err := f.hit(Stat, key).before(ctx); err != nil {
		return backend.Info{}, err
	}
	return f.Store.Stat(ctx, key)
}

func (f *faulty) Open(ctx context.Context, key backend.Key, r backend.Range, version string) (io.ReadCloser, error) {
	fault := f.hit(Open, key)
	if err := fault.before(ctx); err != nil {
		return nil, err
	}
	body, err := f.Store.Open(ctx, key, r, version)
	if err != nil || fault.At == 0 && !fault.Corrupt {
		return body, err
	}
	return &faultyBody{ReadCloser: body, fault: fault, wait: func() error { return fault.wait(ctx) }}, nil
}

// A faultyBody suffers a fault at one of its bytes.
type faultyBody struct {
	io.ReadCloser
	fault Fault
	wait  func() error
	off   int64
}

func (b *faultyBody) Read(p []byte) (int, error) {
	if b.off == b.fault.At && b.fault.At > 0 {
		if err := b.wait(); err != nil {
			return 0, err
		}
		if b.fault.Err != nil {
			return 0, b.fault.Err
		}
	}
	if b.off < b.fault.At {
		p = p[:min(int64(len(p)), b.fault.At-b.off)]
	}
	n, err := b.ReadCloser.Read(p)
	if b.fault.Corrupt && n > 0 && b.off == b.fault.At {
		p[0] ^= 0xff
	}
	b.off += int64(n)
	return n, err
}

func (f *faulty) List(ctx context.Context, prefix backend.Key) iter.Seq2[backend.Info, error] {
	return f.list(ctx, prefix, f.Store.List)
}

// Walk suffers a list's faults: those of its prefix where the store below walks,
// else those of all the lists it takes.
func (f *faulty) Walk(ctx context.Context, prefix backend.Key) iter.Seq2[backend.Info, error] {
	if w, ok := f.Store.(backend.Walker); ok {
		return f.list(ctx, prefix, w.Walk)
	}
	return backend.Walk(ctx, listOnly{f}, prefix)
}

type enumerate func(context.Context, backend.Key) iter.Seq2[backend.Info, error]

func (f *faulty) list(ctx context.Context, prefix backend.Key, all enumerate) iter.Seq2[backend.Info, error] {
	return func(yield func(backend.Info, error) bool) {
		fault := f.hit(List, prefix)
		if err := fault.before(ctx); err != nil {
			yield(backend.Info{}, err)
			return
		}
		var given int64
		for info, err := range all(ctx, prefix) {
			if fault.Err != nil && given == fault.At {
				yield(backend.Info{}, fault.Err)
				return
			}
			given++
			if !yield(info, err) {
				return
			}
		}
	}
}

type faultyWriter struct {
	*faulty
	w backend.Writer
}

func (f *faultyWriter) Put(ctx context.Context, key backend.Key, src backend.Source, cond backend.Cond) (backend.Info, error) {
	fault := f.hit(Put, key)
	if err := fault.before(ctx); err != nil {
		return backend.Info{}, err
	}
	info, err := f.w.Put(ctx, key, src, cond)
	if fault.Late && err == nil {
		return backend.Info{}, fault.Err
	}
	return info, err
}

func (f *faultyWriter) Delete(ctx context.Context, key backend.Key, cond backend.Cond) error {
	fault := f.hit(Delete, key)
	if err := fault.before(ctx); err != nil {
		return err
	}
	err := f.w.Delete(ctx, key, cond)
	if fault.Late && err == nil {
		return fault.Err
	}
	return err
}
