// Package inflate reads what cosa compress wrote: gzip and zstd in this process,
// xz with the program of that name, which is several times faster than what there
// is in Go, as it uses all processors.
package inflate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"cosafs/materialize"
)

// window is the most memory that a zstd stream may make us take, in bytes:
// zstd's own limit without --long.
const window = 128 << 20

// Plain gives the name of a file without its compression, if it has one that
// this package reads. Zip files, which cosa makes for hyperv, are no streams.
func Plain(name string) (plain string, ok bool) {
	for _, suffix := range []string{".gz", ".xz", ".zst"} {
		if plain, ok = strings.CutSuffix(name, suffix); ok && plain != "" {
			return plain, true
		}
	}
	return "", false
}

// New gives what the stream r holds compressed, as the suffix of its file's name
// says; another suffix is errors.ErrUnsupported. Damage is an error of a Read.
// Closing it does not close r, but waits for a Read of r that goes on. A missing xz is a [materialize.Failure].
func New(ctx context.Context, name string, r io.Reader) (io.ReadCloser, error) {
	switch {
	case strings.HasSuffix(name, ".gz"):
		return gzip.NewReader(r)
	case strings.HasSuffix(name, ".zst"):
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(window))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	case strings.HasSuffix(name, ".xz"):
		return startXZ(ctx, r)
	}
	return nil, fmt.Errorf("decompress %s: %w", name, errors.ErrUnsupported)
}

// An xzReader reads from a running xz.
type xzReader struct {
	io.Reader
	cmd    *exec.Cmd
	said   bytes.Buffer
	cancel context.CancelFunc
	ended  bool
}

func startXZ(ctx context.Context, r io.Reader) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	x := &xzReader{cmd: exec.CommandContext(ctx, "xz", "--decompress", "--stdout", "--threads=0", "--format=xz"), cancel: cancel}
	x.cmd.Stdin, x.cmd.Stderr = r, &x.said
	out, err := x.cmd.StdoutPipe()
	if err == nil {
		x.Reader, err = out, x.cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, materialize.Fail(materialize.ClassTool, "decompress", "install xz: apt-get install xz-utils, or dnf install xz", err)
	}
	return x, nil
}

// Read implements [io.Reader]. The end is one only if xz found no fault.
func (x *xzReader) Read(p []byte) (int, error) {
	n, err := x.Reader.Read(p)
	if !errors.Is(err, io.EOF) || x.ended {
		return n, err
	}
	x.ended = true
	if err := x.cmd.Wait(); err != nil {
		return n, fmt.Errorf("xz: %w: %s", err, strings.TrimSpace(x.said.String()))
	}
	return n, io.EOF
}

// Close ends xz, if it still runs.
func (x *xzReader) Close() error {
	x.cancel()
	if !x.ended {
		x.ended = true
		_ = x.cmd.Wait() // it was killed
	}
	return nil
}
