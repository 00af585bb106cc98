package pack

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"
)

// An encoder encodes a chunk; before is the one that was before it, nil at the
// start. It's called by several goroutines at once and must keep neither.
type encoder func(chunk, before []byte) ([]byte, error)

// inChunks reads chunks of a size, encodes as many at once as there are workers and
// writes them in their order. There is always a chunk: it's empty where r is.
func inChunks(ctx context.Context, w io.Writer, r io.Reader, size, workers int, encode encoder) error {
	encode = zerosOnce(size, encode)
	g, ctx := errgroup.WithContext(ctx)
	queue := make(chan chan []byte, workers-1) // of what's encoded or being so; the writer holds one more
	g.Go(func() error { return writeChunks(ctx, w, queue) })
	g.Go(func() error {
		defer close(queue)
		var before []byte
		for {
			chunk := make([]byte, size)
			n, err := io.ReadFull(r, chunk)
			ended := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
			if err != nil && !ended {
				return err
			}
			if n > 0 || before == nil {
				if err := enqueue(ctx, g, queue, chunk[:n], before, encode); err != nil {
					return err
				}
			}
			if ended {
				return nil
			}
			before = chunk
		}
	})
	return g.Wait()
}

// zerosOnce encodes zeros that follow zeros once: they are most of a disk.
func zerosOnce(size int, encode encoder) encoder {
	zeros := make([]byte, size)
	encoded := sync.OnceValues(func() ([]byte, error) { return encode(zeros, zeros) })
	return func(chunk, before []byte) ([]byte, error) {
		if bytes.Equal(chunk, zeros) && bytes.Equal(before, zeros) {
			return encoded()
		}
		return encode(chunk, before)
	}
}

// enqueue starts the encoding of a chunk as soon as it has a place in the queue.
func enqueue(ctx context.Context, g *errgroup.Group, queue chan<- chan []byte, chunk, before []byte, encode encoder) error {
	done := make(chan []byte, 1)
	select {
	case queue <- done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	g.Go(func() error {
		b, err := encode(chunk, before)
		if err == nil {
			done <- b
		}
		return err // and the ctx ends, so that nobody waits for done
	})
	return nil
}

// writeChunks writes what the queue's chunks become.
func writeChunks(ctx context.Context, w io.Writer, queue <-chan chan []byte) error {
	for done := range queue {
		select {
		case b := <-done:
			if _, err := w.Write(b); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
