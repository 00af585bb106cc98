package backend

import (
	"context"
	"io"
	"iter"
)

// Retry repeats what went wrong by mishap; answers ([Final]) pass at once.
//
// A body that breaks is opened again where it broke, if Open named a version:
// without one, nothing proves that the rest belongs to the same object. A list
// that breaks goes on after the last name it gave. Conditional writes are tried
// once: after a lost answer, a second try would see the first one's success as
// a condition that does not hold.
func Retry(s Store, p Policy) Store {
	r := &retrying{Store: s, p: p.withDefaults()}
	if w, ok := As[Writer](s); ok {
		return &retryingWriter{retrying: r, w: w}
	}
	return r
}

type retrying struct {
	Store
	p Policy
}

// Unwrap gives the decorated store.
func (r *retrying) Unwrap() Store { return r.Store }

func (r *retrying) Stat(ctx context.Context, key Key) (info Info, err error) {
	err = r.do(ctx, func() error {
		info, err = r.Store.Stat(ctx, key)
		return err
	})
	return info, err
}

func (r *retrying) Open(ctx context.Context, key Key, rg Range, version string) (io.ReadCloser, error) {
	b := &resuming{store: r, key: key, rest: rg, version: version}
	b.ctx, b.cancel = context.WithCancel(ctx)
	err := r.do(ctx, func() error { return b.open() })
	if err != nil {
		b.cancel()
		return nil, err
	}
	return NewBody(ctx, b, ToEnd), nil
}

func (r *retrying) List(ctx context.Context, prefix Key) iter.Seq2[Info, error] {
	return r.list(ctx, r.Store.List(ctx, prefix))
}

// Walk implements [Walker], in byte order where the store below is one: a walk
// that breaks goes on after the last key it gave.
func (r *retrying) Walk(ctx context.Context, prefix Key) iter.Seq2[Info, error] {
	if w, ok := r.Store.(Walker); ok {
		return r.list(ctx, w.Walk(ctx, prefix))
	}
	return func(yield func(Info, error) bool) { walk(ctx, r, prefix, yield) }
}

func (r *retrying) list(ctx context.Context, list iter.Seq2[Info, error]) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		l := lister{yield: yield}
		err := r.do(ctx, func() error { return l.run(list) })
		if err != nil && !l.stopped {
			yield(Info{}, err)
		}
	}
}

// A lister passes on a list that may start over.
type lister struct {
	yield   func(Info, error) bool
	last    Key // given last; "" before the first
	stopped bool
}

func (l *lister) run(list iter.Seq2[Info, error]) error {
	for info, err := range list {
		if err != nil {
			return err
		}
		if l.last != "" && info.Key <= l.last {
			continue // lists are in name order, so this one was given before
		}
		l.last = info.Key
		if !l.yield(info, nil) {
			l.stopped = true
			return nil
		}
	}
	return nil
}

type retryingWriter struct {
	*retrying
	w Writer
}

func (r *retryingWriter) Put(ctx context.Context, key Key, src Source, cond Cond) (info Info, err error) {
	if cond != (Cond{}) {
		return r.w.Put(ctx, key, src, cond)
	}
	err = r.do(ctx, func() error {
		info, err = r.w.Put(ctx, key, src, cond)
		return err
	})
	return info, err
}

func (r *retryingWriter) Delete(ctx context.Context, key Key, cond Cond) error {
	if cond != (Cond{}) {
		return r.w.Delete(ctx, key, cond)
	}
	return r.do(ctx, func() error { return r.w.Delete(ctx, key, cond) })
}
