package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"cosafs/materialize"
	"cosafs/materialize/blobcache"
	"cosafs/vfs"
)

// open gives the bytes of an item. What a store has is read through the cache as
// it is read; what a compressed object holds is unpacked into the cache first.
func (s *Stream) open(ctx context.Context, it item) (vfs.Blob, error) {
	it, err := s.reach(ctx, it)
	if err != nil {
		return nil, err
	}
	if it.packed != "" {
		return s.openUnpacked(ctx, it)
	}
	b, err := s.cache.Get(ctx, it.object(), it.file.origin())
	if err != nil {
		return nil, s.explain(it, err)
	}
	return &blob{Blob: b, s: s, it: it}, nil
}

// reach makes sure that the item can be read, as far as that shows at once. It
// asks the store only if the cache lacks bytes and the version is not known, or
// the store did not answer the last time: then a reader learns why here.
func (s *Stream) reach(ctx context.Context, it item) (item, error) {
	if it.gone != nil {
		return it, it.gone
	}
	if s.complete(&it) || it.file.version != "" && it.file.size >= 0 && it.file.src.silent() == nil {
		return it, nil
	}
	file, err := s.ask(ctx, it.file)
	switch {
	case isAbsent(err) && it.Kind != "":
		return it, goneFailure(it.Entry, it.file.src, noObject)
	case isAbsent(err):
		return it, fmt.Errorf("%s: %w", pathOf(it.Entry), err)
	case err != nil:
		return it, storeFailure("open "+it.Name, it.file.src, err)
	case it.file.size >= 0 && file.size != it.file.size:
		return it, s.replaced(it, file)
	case it.file.version != "" && file.version != it.file.version:
		return it, s.explain(it, blobcache.ErrChanged)
	}
	if it.file = file; it.packed == "" {
		it.Size = file.size
	}
	return it, nil
}

// replaced says what an object of another size than expected is: not the
// recorded one or, of a document, a newer one.
func (s *Stream) replaced(it item, now object) error {
	if it.Kind == "" || it.file.version != "" {
		return s.explain(it, blobcache.ErrChanged)
	}
	return corrupt(it.Name, it.file.src, wrongSize(now.size, it.file.size))
}

// explain translates an error of reading an item. Where it shows that the catalog
// is outdated, the store is asked again soon.
func (s *Stream) explain(it item, err error) error {
	failure, outdated := readFailure(it.Name, it.file.src, err)
	if outdated {
		if err := s.seen.forget(it.file.src.name, string(it.file.key)); err != nil {
			s.cfg.Logger.Warn("forget what a store said", "key", it.file.key, "err", err)
		}
		s.outdated(it.file.src, it.Build)
	}
	return failure
}

// A blob is an open file of the cache, whose errors a person understands.
type blob struct {
	*blobcache.Blob
	s  *Stream
	it item
}

// ReadAt implements [vfs.Blob].
func (b *blob) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	n, err := b.Blob.ReadAt(ctx, p, off)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	return n, b.s.explain(b.it, err)
}

// openTop opens builds.json as it is now.
func (f *facts) openTop(e vfs.Entry) (vfs.Blob, error) {
	now, err := f.topItem(e.Name)
	if err != nil {
		return nil, err
	}
	if now.Size != e.Size || !now.ModTime.Equal(e.ModTime) {
		return nil, fmt.Errorf("%s: it was replaced: %w", e.Name, vfs.ErrStale)
	}
	return &textBlob{*bytes.NewReader(f.top)}, nil
}

// A textBlob is a document in memory.
type textBlob struct{ r bytes.Reader }

var _ vfs.Blob = (*textBlob)(nil)

// ReadAt implements [vfs.Blob].
func (b *textBlob) ReadAt(_ context.Context, p []byte, off int64) (int, error) {
	return b.r.ReadAt(p, off)
}

// Size implements [vfs.Blob].
func (b *textBlob) Size() int64 { return b.r.Size() }

// LocalFile implements [vfs.Blob]: there is none.
func (b *textBlob) LocalFile() (*os.File, bool) { return nil, false }

// Close implements [vfs.Blob].
func (b *textBlob) Close() error { return nil }

// besideOf gives a file beside the architectures.
func (s *Stream) besideOf(id string, o beside) item {
	it := item{
		Entry:  vfs.Entry{Build: id, Name: o.file.Name, Size: o.file.Size, ModTime: o.file.ModTime, State: materialize.StateRemote},
		file:   o.object(id),
		listed: true,
	}
	s.describe(&it)
	return it
}
