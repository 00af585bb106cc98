package upload

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"cosafs/backend"
	"cosafs/cmd/internal/cas"
)

// sendFiles sends what was decided; the first error ends it.
func (u *uploader) sendFiles(ctx context.Context) error {
	p := newProgress(u.report.Bytes, u.Tell)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(u.Parallel)
	for _, it := range u.items {
		if it.send {
			g.Go(func() error { return u.sendFile(gctx, it, p) })
		}
	}
	return g.Wait()
}

func (u *uploader) sendFile(ctx context.Context, it *item, p *progress) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	name := u.src.path(it.key)
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // read only
	src := backend.Source{
		ReaderAt: p.watch(f, it), Size: it.size, SHA256: it.sum, LocalPath: name,
		ContentType: contentType(it.key.Base()), CacheControl: it.cache,
	}
	if err := u.put(ctx, it, src); err != nil {
		return explainSend(it, err)
	}
	p.finish(it)
	return nil
}

// Of a conditional Put whose answer was lost nobody knows but the store; it is
// asked so many times at most, with growing waits between.
const (
	putTries = 6
	putWait  = 500 * time.Millisecond
)

// put stores a file. Under a condition the first who stores an artifact wins:
// one that has the same bytes is as good as our own.
func (u *uploader) put(ctx context.Context, it *item, src backend.Source) error {
	w, _ := backend.As[backend.Writer](u.Dest) // checkStore saw it
	cond := it.cond
	for try := 0; ; try++ {
		_, err := w.Put(ctx, it.key, src, cond)
		if err == nil || cond == (backend.Cond{}) {
			return err // an unconditional one was repeated by the store's decorator
		}
		contested := errors.Is(err, backend.ErrCondition) || errors.Is(err, fs.ErrNotExist)
		if ctx.Err() != nil || !contested && backend.Final(err) || try == putTries {
			return err
		}
		done, next, err := u.readBack(ctx, it, cond)
		if done || err != nil {
			return err
		}
		cond = next
		if err := cas.Wait(ctx, rand.N(putWait<<try)); err != nil {
			return err
		}
	}
}

// readBack looks at what is there after a Put that did not say it succeeded: done
// means our bytes, else next is the condition to try again with.
func (u *uploader) readBack(ctx context.Context, it *item, cond backend.Cond) (done bool, next backend.Cond, err error) {
	info, err := u.Dest.Stat(ctx, it.key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, backend.Cond{IfAbsent: true}, nil
	case err != nil:
		return false, cond, err
	case info.Version == cond.IfMatch && info.SHA256 != it.sum:
		return false, cond, nil // nothing happened
	case info.Size != it.size:
		return false, cond, published(it, "somebody else sent other bytes meanwhile")
	}
	sum, err := u.digestThere(ctx, info)
	if err == nil && sum != it.sum {
		err = published(it, "somebody else sent other bytes meanwhile")
	}
	return err == nil, cond, err
}

// digestThere gives an object's digest, if need be by reading it.
func (u *uploader) digestThere(ctx context.Context, info backend.Info) (digest, error) {
	if info.SHA256 != (digest{}) {
		return info.SHA256, nil
	}
	body, err := u.Dest.Open(ctx, info.Key, backend.Range{Len: info.Size}, info.Version)
	if err != nil {
		return digest{}, err
	}
	defer func() { _ = body.Close() }() // read only
	return hash(body)
}

// confirm looks whether all that was sent, or was there, is still there, and
// sends again what is not. Until it was listed, garbage collection on another
// machine might have taken it for a leftover.
func (u *uploader) confirm(ctx context.Context) error {
	p := newProgress(u.report.Bytes, u.Tell)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(u.Parallel)
	for _, it := range u.items {
		if it.send || it.verdict == mine {
			g.Go(func() error { return u.confirmFile(gctx, it, p) })
		}
	}
	return g.Wait()
}

func (u *uploader) confirmFile(ctx context.Context, it *item, p *progress) error {
	info, err := u.Dest.Stat(ctx, it.key)
	switch {
	case errors.Is(err, fs.ErrNotExist) && it.here:
		it.cond = backend.Cond{}
		if it.image != nil {
			it.cond.IfAbsent = true
		}
		return u.sendFile(ctx, it, p)
	case err != nil:
		return fmt.Errorf("look again at %s, which is published now: %w", it.key, err)
	case it.image != nil && (info.Size != it.size && it.size >= 0 || info.SHA256 != it.sum && info.SHA256 != digest{}):
		return published(it, "somebody replaced it with other bytes during the upload")
	}
	return nil
}
