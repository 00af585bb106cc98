package stream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"cosafs/cmd/internal/inflate"
	"cosafs/materialize"
	"cosafs/materialize/blobcache"
	"cosafs/vfs"
)

// openUnpacked gives what a compressed object holds: from the cache, else by a job
// that unpacks it there.
func (s *Stream) openUnpacked(ctx context.Context, it item) (vfs.Blob, error) {
	if !s.complete(&it) {
		if _, err := s.runner.Do(ctx, s.unpackWork(it), s.cfg.Linger); err != nil {
			return nil, err
		}
	}
	// It is there, unless it was evicted this moment; then it is made again.
	b, err := s.unpacked(ctx, it, &materialize.Task{})
	if err != nil {
		return nil, err
	}
	return &blob{Blob: b, s: s, it: it}, nil
}

// unpackWork unpacks an object into the cache.
func (s *Stream) unpackWork(it item) materialize.Work {
	return s.cacheWork(it, "unpack", func(ctx context.Context, task *materialize.Task) (*blobcache.Blob, error) {
		b, err := s.unpacked(ctx, it, task)
		if err == nil && it.Size < 0 {
			err = s.runner.Memory().PutSize(it.workKey(), b.Size())
		}
		return b, err
	})
}

// unpacked gives the unpacked bytes from the cache, and makes them if need be.
func (s *Stream) unpacked(ctx context.Context, it item, task *materialize.Task) (*blobcache.Blob, error) {
	b, err := s.cache.Make(ctx, it.object(), func(ctx context.Context, w io.Writer) error {
		return s.unpack(ctx, it, w, task)
	})
	return b, s.explain(it, err)
}

// unpack streams the compressed object, which need not be in the cache and does
// not come there, through its decompressor to w.
func (s *Stream) unpack(ctx context.Context, it item, w io.Writer, task *materialize.Task) error {
	task.Phase("unpack "+it.packed, 0)
	packed, err := s.packed(ctx, it)
	if err != nil {
		return err
	}
	defer packed.Close() //nolint:errcheck // nothing was written
	in := &metered{r: packed, sum: sha256.New(), tell: func(done int64) {
		if task.Progress != nil {
			task.Progress("unpack "+it.packed, fraction(done, it.file.size))
		}
	}}
	err = decompress(ctx, it.packed, w, in)
	if in.err != nil {
		return in.err // the decompressor only saw the end of it
	}
	if err != nil {
		return err
	}
	// A decompressor need not read what follows the end of its format.
	if _, err := io.Copy(io.Discard, in); err != nil {
		return err
	}
	if sum := hex.EncodeToString(in.sum.Sum(nil)); it.file.sha256 != "" && sum != it.file.sha256 {
		return fmt.Errorf("sha256 %s instead of %s: %w", sum, it.file.sha256, blobcache.ErrCorrupt)
	}
	return nil
}

// packed gives the bytes of the compressed object, from the cache if all of them
// are there.
func (s *Stream) packed(ctx context.Context, it item) (io.ReadCloser, error) {
	if !s.cache.State(it.file.blob().ID).Complete {
		return it.file.origin().Open(ctx, 0, it.file.size)
	}
	b, err := s.cache.Get(ctx, it.file.blob(), it.file.origin())
	if err != nil {
		return nil, err
	}
	return blobReader{io.NewSectionReader(readerAt{ctx, b}, 0, b.Size()), b}, nil
}

// A blobReader reads a blob from its beginning.
type blobReader struct {
	*io.SectionReader
	io.Closer
}

// readerAt reads a blob for one call that lasts as long as ctx does.
type readerAt struct {
	ctx context.Context
	b   vfs.Blob
}

// ReadAt implements [io.ReaderAt].
func (r readerAt) ReadAt(p []byte, off int64) (int, error) { return r.b.ReadAt(r.ctx, p, off) }

// decompress writes what in holds to w. Errors of w are not the data's.
func decompress(ctx context.Context, format string, w io.Writer, in io.Reader) error {
	z, err := inflate.New(ctx, "."+format, in)
	if err != nil {
		return badData(format, err)
	}
	defer z.Close() //nolint:errcheck // what it has to say came with the last Read
	out := &remembering{w: w}
	_, err = io.Copy(out, z)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil && out.err == nil:
		return badData(format, err)
	}
	return out.err
}

// badData says that what was read is not of the format; a missing program says
// nothing of it.
func badData(format string, err error) error {
	var known *materialize.Failure
	if errors.As(err, &known) {
		return err
	}
	return fmt.Errorf("not what %s makes: %w: %w", format, err, blobcache.ErrCorrupt)
}

// A remembering writer keeps its error: who writes to it may report another one.
type remembering struct {
	w   io.Writer
	err error
}

// Write implements [io.Writer].
func (r *remembering) Write(p []byte) (int, error) {
	n, err := r.w.Write(p)
	if err != nil {
		r.err = err
	}
	return n, err
}
