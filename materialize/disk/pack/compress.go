package pack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"cosafs/materialize"
)

const compressOp = "compress"

// CompressOptions are for [Compress]. The zero value does for gz, xz and zst.
type CompressOptions struct {
	// Name is the member's in a zip, without directories as `zip -j` has it.
	Name string
	// Level is that of the kind's tool; 0 is cosa's: gz 6, xz 9, zst 10, zip 9. cosa's
	// --fast is 1.
	Level int
	// Workers is how many CPUs to use; 0 is all. It doesn't change the output.
	Workers int
	// Task is the job that xz runs for. May be nil.
	Task *materialize.Task
}

// Compress compresses r to w in the format that kind, a suffix, says: gz, xz, zst or
// zip; any other is errors.ErrUnsupported. Equal bytes give equal output: no name
// (but in zip) and no time is in it. After an error what w took is of no use. Formats
// are compress's of cosa, but for a zst, which is a row of frames so that they can be
// made at once. xz needs the program: materialize.ClassTool where it isn't installed.
func Compress(ctx context.Context, w io.Writer, r io.Reader, kind string, o CompressOptions) error {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Task == nil {
		o.Task = &materialize.Task{}
	}
	pack, level := compressor(kind)
	if pack == nil {
		return fmt.Errorf("%s: %q: %w", compressOp, kind, errors.ErrUnsupported)
	}
	if o.Level == 0 {
		o.Level = level
	}
	if err := pack(ctx, w, contextReader{ctx, r}, o); err != nil {
		return fmt.Errorf("%s to %s: %w", compressOp, kind, err)
	}
	return nil
}

// compressor gives what makes a format, and cosa's level of it.
func compressor(kind string) (pack func(context.Context, io.Writer, io.Reader, CompressOptions) error, level int) {
	switch kind {
	case "gz":
		return packGzip, 6
	case "xz":
		return packXz, 9
	case "zst":
		return packZstd, 10
	case "zip":
		return packZip, 9
	}
	return nil, 0
}

// A contextReader ends with its ctx.
type contextReader struct {
	ctx context.Context // of the reading as a whole; io.Reader has no place for it
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(p)
}
