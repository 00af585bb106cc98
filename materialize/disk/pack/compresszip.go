package pack

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// packZip writes an archive with one member of the mode 0644, whose time is the
// first that zip knows.
func packZip(ctx context.Context, w io.Writer, r io.Reader, o CompressOptions) error {
	if o.Name == "" || strings.ContainsAny(o.Name, "/\\") {
		return fmt.Errorf("name %q of the member: %w", o.Name, fs.ErrInvalid)
	}
	z := zip.NewWriter(w)
	var d *deflater
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		d = newDeflater(ctx, w, o)
		return d, nil
	})
	h := &zip.FileHeader{Name: o.Name, Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
	h.SetMode(0o644)
	member, err := z.CreateHeader(h)
	if err != nil {
		return err
	}
	if _, err := io.CopyBuffer(member, r, make([]byte, deflateChunk)); err != nil {
		_ = d.in.CloseWithError(err) // never fails
		_ = d.g.Wait()               // says the same
		return err
	}
	return z.Close()
}

// A deflater is [deflate] as archive/zip wants it. It has a goroutine, which Close
// ends and waits for.
type deflater struct {
	in *io.PipeWriter
	g  errgroup.Group
}

func newDeflater(ctx context.Context, w io.Writer, o CompressOptions) *deflater {
	out, in := io.Pipe()
	d := &deflater{in: in}
	d.g.Go(func() error {
		err := deflate(ctx, w, out, o.Level, o.Workers)
		_ = out.CloseWithError(err) // never fails
		return err
	})
	return d
}

func (d *deflater) Write(p []byte) (int, error) { return d.in.Write(p) }

// Close ends the stream and waits until it's written.
func (d *deflater) Close() error {
	_ = d.in.Close() // never fails
	return d.g.Wait()
}
