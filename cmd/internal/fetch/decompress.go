package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"cosafs/backend"
	"cosafs/cmd/internal/inflate"
	"cosafs/index"
	"cosafs/materialize"
)

// decompress does what cosa decompress does with the images that were asked for:
// the uncompressed file takes the place of the compressed one in the directory
// and in meta.json. Unlike cosa it refuses bytes with another sha256 than the
// recorded uncompressed-sha256.
func (f *fetcher) decompress(ctx context.Context, a *arch) error {
	images, err := chooseImages(string(a.dir), a.meta, f.Options)
	if err != nil {
		return err
	}
	for _, im := range images {
		plain, ok := inflate.Plain(im.Path)
		if !ok || im.SkipCompression || !index.ValidName(im.Path) {
			continue
		}
		if err := f.decompressImage(ctx, a.dir, im, plain); err != nil {
			return explain(a.dir.Join(im.Path), err)
		}
	}
	return nil
}

// decompressImage does it for one image; one that was cut off after meta.json
// changed leaves only the compressed file to remove.
func (f *fetcher) decompressImage(ctx context.Context, dir backend.Key, im index.Image, plain string) error {
	local, err := f.localMeta(ctx, dir)
	if err != nil || local == nil {
		return err
	}
	if here, _ := local.Image(im.Kind); here.Path == im.Path && f.hasFile(dir, here) {
		done, err := f.unpack(ctx, dir, im, plain)
		if err != nil {
			return err
		}
		if err := f.recordImage(ctx, dir, im, done); err != nil {
			return err
		}
		f.report.Fetched = slices.DeleteFunc(f.report.Fetched, func(s string) bool { return s == string(dir.Join(im.Path)) })
		f.fetched(string(dir.Join(plain)))
	} else if here.Path != plain {
		return nil
	}
	return f.dir.Delete(ctx, dir.Join(im.Path), backend.Cond{})
}

// unpack adds the uncompressed file and gives its record.
func (f *fetcher) unpack(ctx context.Context, dir backend.Key, im index.Image, plain string) (index.Image, error) {
	stage, err := os.MkdirTemp(f.spool.dir, stagePrefix)
	if err != nil {
		return index.Image{}, err
	}
	defer func() { _ = os.RemoveAll(stage) }() // swept next time otherwise
	out := filepath.Join(stage, plain)
	f.tell(materialize.Event{Phase: "decompress", Message: im.Path})
	sum, size, err := inflateFile(ctx, f.path(dir.Join(im.Path)), out)
	if err != nil {
		return index.Image{}, err
	}
	if im.UncompressedSHA256 != "" && sum != im.UncompressedSHA256 {
		return index.Image{}, fmt.Errorf("uncompressed it has the sha256 %s: %w", sum, materialize.ErrCorrupt)
	}
	im.Path, im.SHA256, im.Size = plain, sum, size
	im.UncompressedSHA256, im.UncompressedSize = "", -1
	return im, f.builds.AddFile(ctx, out, dir.Join(plain))
}

// inflateFile uncompresses a file into a new one, with holes where it is zero.
func inflateFile(ctx context.Context, from, to string) (sum string, size int64, err error) {
	in, err := os.Open(from)
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = in.Close() }() // read only
	r, err := inflate.New(ctx, from, in)
	if err != nil {
		return "", 0, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return "", 0, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	h := sha256.New()
	w := &sparseWriter{f: out}
	if err := copyAll(ctx, io.MultiWriter(h, w), r); err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(h.Sum(nil)), w.off, errors.Join(out.Truncate(w.off), out.Sync())
}

// copyAll copies until r ends, or ctx does.
func copyAll(ctx context.Context, w io.Writer, r io.Reader) error {
	buf := make([]byte, 256<<10)
	for ctx.Err() == nil {
		n, err := r.Read(buf)
		if _, werr := w.Write(buf[:n]); werr != nil {
			return werr
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// A sparseWriter leaves out what is zero.
type sparseWriter struct {
	f   *os.File
	off int64
}

func (w *sparseWriter) Write(p []byte) (int, error) {
	if slices.ContainsFunc(p, func(b byte) bool { return b != 0 }) {
		if _, err := w.f.WriteAt(p, w.off); err != nil {
			return 0, err
		}
	}
	w.off += int64(len(p))
	return len(p), nil
}

func (f *fetcher) recordImage(ctx context.Context, dir backend.Key, was, now index.Image) error {
	return locked(f.builds.UpdateJSON(ctx, dir.Join("meta.json"), func(old []byte) ([]byte, error) {
		m, err := index.ParseMeta(old)
		if err != nil {
			return nil, err
		}
		if !recordsSame(m, was) {
			return nil, fmt.Errorf("%s was changed meanwhile: %w", was.Kind, backend.ErrChanged)
		}
		if err := m.SetImage(now.Kind, now); err != nil {
			return nil, err
		}
		m.SetStamp(time.Now().UnixNano())
		return m.Bytes(), nil
	}))
}
