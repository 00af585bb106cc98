package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sys/unix"

	"cosafs/backend"
	"cosafs/materialize"
)

// download brings all objects into the spool, verified.
func (f *fetcher) download(ctx context.Context, arches []*arch) error {
	var todo []*object
	m := newMeter(f.tell)
	for _, a := range arches {
		for _, o := range a.objects {
			m.total += o.info.Size
			if f.spool.isDone(o) {
				m.add(o.info.Size)
			} else {
				todo = append(todo, o)
			}
		}
	}
	if err := f.checkSpace(todo); err != nil {
		return err
	}
	stop := m.start()
	defer stop()
	slots := semaphore.NewWeighted(int64(f.Parallel))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(f.Parallel)
	for _, o := range todo {
		g.Go(func() error { return explain(o.key, f.bring(ctx, o, m, slots)) })
	}
	return g.Wait()
}

// bring brings one object. One whose bytes are wrong, or that is replaced
// meanwhile, is fetched once again from its start.
func (f *fetcher) bring(ctx context.Context, o *object, m *meter, slots *semaphore.Weighted) error {
	if err := ctx.Err(); err != nil {
		return err // another one failed
	}
	counted := &objectMeter{m: m}
	err := f.bringOnce(ctx, o, counted, slots)
	if !errors.Is(err, materialize.ErrCorrupt) && !errors.Is(err, backend.ErrChanged) {
		return err
	}
	counted.undo()
	if lookErr := f.look(ctx, o); lookErr != nil {
		return errors.Join(err, lookErr)
	}
	return f.bringOnce(ctx, o, counted, slots)
}

func (f *fetcher) bringOnce(ctx context.Context, o *object, m *objectMeter, slots *semaphore.Weighted) (err error) {
	p, err := f.spool.part(o, !f.Store.Properties().Ranges || o.info.Version == "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	missing, err := p.missing()
	if err != nil {
		return err
	}
	m.add(o.info.Size - p.bytes(missing))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(f.Parallel)
	for _, i := range missing {
		if err := slots.Acquire(gctx, 1); err != nil {
			break // the group knows why
		}
		g.Go(func() error {
			defer slots.Release(1)
			return f.fetchRange(gctx, p, i, m)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return p.seal(ctx)
}

// fetchRange brings one range of an object to the disk.
func (f *fetcher) fetchRange(ctx context.Context, p *part, i int64, m *objectMeter) error {
	r := p.span(i)
	body, err := f.Store.Open(ctx, p.o.key, r, p.o.info.Version)
	if err != nil {
		return err
	}
	n, err := io.Copy(io.NewOffsetWriter(p.data, r.Off), io.TeeReader(body, m))
	f.moved.Add(n)
	if err = errors.Join(err, body.Close()); err != nil {
		return err
	}
	if n != r.Len {
		return fmt.Errorf("%d bytes at %d: %w", r.Len, r.Off, io.ErrUnexpectedEOF)
	}
	return p.mark(i)
}

// bytes gives the size of some ranges together.
func (p *part) bytes(ranges []int64) (n int64) {
	for _, i := range ranges {
		n += p.span(i).Len
	}
	return n
}

// checkSpace refuses a download that would fill the disk half way.
func (f *fetcher) checkSpace(todo []*object) error {
	var need int64
	for _, o := range todo {
		need += o.info.Size
		var st unix.Stat_t
		if unix.Stat(f.spool.path(o.id+partSuffix), &st) == nil {
			need -= st.Blocks * 512 // stat(2) counts in these
		}
	}
	var st unix.Statfs_t
	if err := unix.Statfs(f.spool.dir, &st); err != nil {
		return &os.PathError{Op: "statfs", Path: f.spool.dir, Err: err}
	}
	free := int64(st.Bavail) * st.Bsize
	if need <= free {
		return nil
	}
	return materialize.Fail(materialize.ClassSpace, "fetch", "free space, for example with: cosafs prune",
		fmt.Errorf("it takes %d MiB, and %d MiB are free in %s: %w", need>>20, free>>20, f.spool.dir, syscall.ENOSPC))
}
