package verify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"cosafs/backend"
	"cosafs/cmd/internal/inflate"
	"cosafs/materialize"
)

// errWrong is what a reader of an image's bytes gives that finds them wrong, in
// words for the report.
var errWrong = errors.New("not as recorded")

// check looks at one image: it is read once, whatever is compared.
func (v *verifier) check(ctx context.Context, f *finding) {
	key := backend.Key(f.Path)
	info, err := v.Store.Stat(ctx, key)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !f.kept:
		f.is(gone, "it was deleted, as builds.json says")
		return
	case errors.Is(err, fs.ErrNotExist):
		f.is(gone, "it is not there")
		return
	case err != nil:
		f.is(unknown, "%s", problem(err))
		return
	case f.image.Size >= 0 && info.Size != f.image.Size:
		f.is(bad, "it has %d bytes, and %d are recorded", info.Size, f.image.Size)
		return
	case f.image.SHA256 == "":
		f.is(unknown, "no sha256 is recorded for it")
		return
	}
	f.judge(v.read(ctx, info, f))
}

// judge settles what came of reading an image.
func (f *finding) judge(err error) {
	switch {
	case err == nil:
		f.is(checked, "")
	case errors.Is(err, errWrong):
		f.is(bad, "%s", problem(err))
	default:
		f.is(unknown, "%s", problem(err))
	}
}

// read reads an image whole and compares it with its record.
func (v *verifier) read(ctx context.Context, info backend.Info, f *finding) error {
	readers := []reader{sums("sha256", f.image.SHA256)}
	if _, packed := inflate.Plain(f.image.Path); v.Uncompressed && packed && f.image.UncompressedSHA256 != "" {
		readers = append(readers, unpacks(f))
	}
	if v.keys != nil {
		sig, err := v.signature(ctx, f)
		if err != nil {
			return err
		}
		readers = append(readers, v.keys.checks(sig))
	}
	body, err := v.Store.Open(ctx, info.Key, backend.Range{Len: info.Size}, info.Version)
	if err != nil {
		return err
	}
	err = feed(ctx, io.TeeReader(body, &v.meter), readers)
	return errors.Join(err, body.Close())
}

// signature reads an image's detached signature.
func (v *verifier) signature(ctx context.Context, f *finding) ([]byte, error) {
	sig, err := v.document(ctx, backend.Key(f.Path+".sig"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: it has no signature", errWrong)
	}
	return sig, err
}

// sums compares a sha256 in hex.
func sums(what, want string) reader {
	return func(_ context.Context, r io.Reader) error {
		h := sha256.New()
		if _, err := io.Copy(h, r); err != nil {
			return err
		}
		if got := hex.EncodeToString(h.Sum(nil)); got != want {
			return fmt.Errorf("%w: %s is %s, recorded is %s", errWrong, what, got, want)
		}
		return nil
	}
}

// unpacks compares what an image holds compressed.
func unpacks(f *finding) reader {
	return func(ctx context.Context, r io.Reader) error {
		plain, err := inflate.New(ctx, f.image.Path, r)
		if errors.As(err, new(*materialize.Failure)) {
			return err // this machine lacks a program; that says nothing about the image
		}
		if err != nil {
			return wrong("decompress", err)
		}
		err = sums("uncompressed-sha256", f.image.UncompressedSHA256)(ctx, plain)
		if err != nil && !errors.Is(err, errWrong) {
			err = wrong("decompress", err)
		}
		return errors.Join(err, plain.Close())
	}
}

// wrong makes an error of a program that read the bytes a verdict on them.
func wrong(what string, err error) error { return fmt.Errorf("%w: %s: %w", errWrong, what, err) }
