package verify

import (
	"context"
	"errors"
	"io"

	"golang.org/x/sync/errgroup"
)

// A reader judges a stream of bytes. It need not read it to its end.
type reader func(ctx context.Context, r io.Reader) error

// feed gives what r has to several readers, each its own goroutine, and waits for
// all. An error of r itself counts for more than what they made of half the bytes.
func feed(ctx context.Context, r io.Reader, readers []reader) error {
	var g errgroup.Group
	var writers []io.Writer
	var pipes []*io.PipeWriter
	errs := make([]error, len(readers))
	for i, read := range readers {
		pr, pw := io.Pipe()
		pipes, writers = append(pipes, pw), append(writers, pw)
		g.Go(func() error {
			errs[i] = read(ctx, pr)
			_, err := io.Copy(io.Discard, pr) // or the others would wait for ever
			return err
		})
	}
	_, err := io.Copy(io.MultiWriter(writers...), r)
	for _, pw := range pipes {
		_ = pw.CloseWithError(err) // never fails; nil is io.EOF
	}
	if drained := g.Wait(); err == nil {
		err = drained
	}
	if err != nil {
		return err
	}
	return errors.Join(errs...)
}
