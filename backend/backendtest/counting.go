package backendtest

import (
	"context"
	"io"
	"iter"
	"sync"

	"cosafs/backend"
)

// An Op names one of a store's methods.
type Op string

// The methods that are counted, and that can be made to fail.
const (
	Stat   Op = "stat"
	Open   Op = "open"
	List   Op = "list"
	Put    Op = "put"
	Delete Op = "delete"
)

// Counts says what a store was asked. It is safe for concurrent use.
type Counts struct {
	mu    sync.Mutex // guards what follows
	calls map[Op]int
	bytes map[Op]int64
}

// Calls gives how often a method was called; for List, how often a list ran.
func (c *Counts) Calls(op Op) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[op]
}

// Bytes gives how many bytes went through a method: for Open those that were
// read, for Put the sources' sizes.
func (c *Counts) Bytes(op Op) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bytes[op]
}

func (c *Counts) add(op Op, calls int, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls == nil {
		c.calls, c.bytes = map[Op]int{}, map[Op]int64{}
	}
	c.calls[op] += calls
	c.bytes[op] += bytes
}

// Counting counts what s is asked.
func Counting(s backend.Store) (backend.Store, *Counts) {
	c := &counting{Store: s, n: &Counts{}}
	if w, ok := backend.As[backend.Writer](s); ok {
		return &countingWriter{counting: c, w: w}, c.n
	}
	return c, c.n
}

type counting struct {
	backend.Store
	n *Counts
}

func (c *counting) Unwrap() backend.Store { return c.Store }

func (c *counting) Stat(ctx context.Context, key backend.Key) (backend.Info, error) {
	c.n.add(Stat, 1, 0)
	return c.Store.Stat(ctx, key)
}

func (c *counting) Open(ctx context.Context, key backend.Key, r backend.Range, version string) (io.ReadCloser, error) {
	c.n.add(Open, 1, 0)
	body, err := c.Store.Open(ctx, key, r, version)
	if err != nil {
		return nil, err
	}
	return &countedBody{ReadCloser: body, n: c.n}, nil
}

type countedBody struct {
	io.ReadCloser
	n *Counts
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.add(Open, 0, int64(n))
	return n, err
}

func (c *counting) List(ctx context.Context, prefix backend.Key) iter.Seq2[backend.Info, error] {
	return func(yield func(backend.Info, error) bool) {
		c.n.add(List, 1, 0)
		c.Store.List(ctx, prefix)(yield)
	}
}

// Walk counts as one list where the store below walks, else as the lists it takes.
func (c *counting) Walk(ctx context.Context, prefix backend.Key) iter.Seq2[backend.Info, error] {
	if _, ok := c.Store.(backend.Walker); ok {
		c.n.add(List, 1, 0)
		return backend.Walk(ctx, c.Store, prefix)
	}
	return backend.Walk(ctx, listOnly{c}, prefix)
}

// A listOnly store is walked from list to list.
type listOnly struct{ backend.Store }

type countingWriter struct {
	*counting
	w backend.Writer
}

func (c *countingWriter) Put(ctx context.Context, key backend.Key, src backend.Source, cond backend.Cond) (backend.Info, error) {
	c.n.add(Put, 1, src.Size)
	return c.w.Put(ctx, key, src, cond)
}

func (c *countingWriter) Delete(ctx context.Context, key backend.Key, cond backend.Cond) error {
	c.n.add(Delete, 1, 0)
	return c.w.Delete(ctx, key, cond)
}
