package upload

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"cosafs/backend"
	"cosafs/index"
)

type digest = [sha256.Size]byte

// An item is a file of the build, or an image that is recorded but not here.
type item struct {
	key   backend.Key
	arch  *archDir     // nil for files beside the architectures
	image *index.Image // nil for files that meta.json does not record
	here  bool         // the file is
	size  int64        // bytes
	sum   digest       // of the file; for images what meta.json records
	cache string       // Cache-Control

	// The decision.
	send    bool
	cond    backend.Cond
	verdict verdict // of images
	why     string
}

// A verdict is what becomes of an image in the store's meta.json.
type verdict int

const (
	// mine: the store has, or will have, the bytes that are recorded here.
	mine verdict = iota
	// theirs: what the store's meta.json records stays; where it records nothing,
	// the entry is taken out, as nothing is there.
	theirs
)

// plan decides for every file whether to send it.
func (u *uploader) plan(ctx context.Context) error {
	if err := u.collect(); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(16) // small questions only
	for _, it := range u.items {
		g.Go(func() error { return u.decide(gctx, it) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return u.judge()
}

// collect lists what there is to upload.
func (u *uploader) collect() error {
	for _, a := range u.src.arches {
		if err := u.collectArch(a); err != nil {
			return err
		}
	}
	err := u.collectFiles(backend.Key(u.src.id), mutable, func(string) bool { return true })
	slices.SortFunc(u.items, func(a, b *item) int { return strings.Compare(string(a.key), string(b.key)) })
	return err
}

func (u *uploader) collectArch(a *archDir) error {
	images := map[string]bool{metaFile: true}
	for _, im := range a.meta.Images() {
		if images[im.Path] {
			continue // two kinds that are one file
		}
		images[im.Path] = true
		it, err := u.imageItem(a, im)
		if err != nil {
			return err
		}
		u.items = append(u.items, it)
	}
	return u.collectFiles(a.key, immutable, func(name string) bool { return !images[name] })
}

func (u *uploader) imageItem(a *archDir, im index.Image) (*item, error) {
	it := &item{key: a.key.Join(im.Path), arch: a, image: &im, size: im.Size, cache: immutable}
	var err error
	if it.sum, err = digestOf(im); err != nil {
		return nil, err
	}
	info, err := os.Stat(u.src.path(it.key))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return it, nil
	case err != nil:
		return nil, err
	case im.Size >= 0 && im.Size != info.Size():
		return nil, explainSend(it, fmt.Errorf("the file has %d bytes, meta.json says %d: %w", info.Size(), im.Size, backend.ErrDigest))
	}
	it.here, it.size = true, info.Size()
	return it, nil
}

// collectFiles adds what meta.json does not record.
func (u *uploader) collectFiles(dir backend.Key, cache string, want func(name string) bool) error {
	files, err := u.src.files(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if !want(f.Name()) {
			continue
		}
		it := &item{key: dir.Join(f.Name()), here: true, size: f.Size(), cache: cache}
		if it.sum, err = hashFile(u.src.path(it.key)); err != nil {
			return err
		}
		u.items = append(u.items, it)
	}
	return nil
}

func hashFile(name string) (sum digest, err error) {
	f, err := os.Open(name)
	if err != nil {
		return sum, err
	}
	defer func() { _ = f.Close() }() // read only
	return hash(f)
}

func hash(r io.Reader) (digest, error) {
	h := sha256.New()
	_, err := io.Copy(h, r)
	return digest(h.Sum(nil)), err
}

// judge turns the decisions into the report and the images' verdicts, and
// refuses an upload that would leave meta.json naming what is nowhere.
func (u *uploader) judge() error {
	var nowhere []error
	for _, it := range u.items {
		if it.image != nil {
			it.arch.verdicts[it.image.Path] = it.verdict
		}
		switch {
		case it.why == nowhereToBeFound:
			nowhere = append(nowhere, missing("upload "+string(it.key),
				"make it again: cosafs extend "+string(it.image.Kind), "it is neither here nor in the store"))
		case it.send:
			u.report.Sent = append(u.report.Sent, it.object())
			u.report.Bytes += it.size
		case it.why != absentUnwanted:
			u.report.Skipped = append(u.report.Skipped, it.object())
		}
	}
	return errors.Join(nowhere...)
}

func (it *item) object() Object {
	return Object{Key: string(it.key), Size: max(it.size, 0), Why: it.why}
}
