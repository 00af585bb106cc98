package workdir

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"os"

	"cosafs/cmd/internal/inflate"
	"cosafs/materialize"
	"cosafs/materialize/disk/pack"
)

// packer compresses with package pack and reads with package inflate.
type packer struct{}

var _ materialize.Packer = packer{}

// Pack implements [materialize.Packer].
func (packer) Pack(ctx context.Context, w io.Writer, r io.Reader, o materialize.PackOptions) error {
	return pack.Compress(ctx, w, r, o.Format, pack.CompressOptions{Name: o.Name, Level: o.Level, Task: o.Task})
}

// Unpack implements [materialize.Packer].
func (packer) Unpack(ctx context.Context, f *os.File, format string) (io.ReadCloser, error) {
	r, err := unpack(ctx, f, format)
	if err != nil {
		return nil, fmt.Errorf("uncompress %s: %w", f.Name(), err)
	}
	return r, nil
}

func unpack(ctx context.Context, f *os.File, format string) (io.ReadCloser, error) {
	if format != "zip" {
		return inflate.New(ctx, "."+format, f)
	}
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	z, err := zip.NewReader(f, st.Size())
	if err != nil {
		return nil, err
	}
	if len(z.File) != 1 {
		return nil, fmt.Errorf("%d files in it instead of one: %w", len(z.File), materialize.ErrCorrupt)
	}
	return z.File[0].Open()
}
