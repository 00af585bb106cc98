package materialize

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"
)

// inside tells what a gzip file holds. Of a file that is none by its name nothing is
// to be told: ok is false.
func inside(ctx context.Context, path string) (c Content, ok bool, err error) {
	if !strings.HasSuffix(path, ".gz") {
		return Content{}, false, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return Content{}, false, err
	}
	defer func() { _ = f.Close() }() // read only
	r, err := gzip.NewReader(f)
	if err != nil {
		return Content{}, false, fmt.Errorf("%s: %w", path, err)
	}
	h := sha256.New()
	n, err := io.Copy(h, reader{ctx, r})
	if err != nil {
		return Content{}, false, fmt.Errorf("%s: %w", path, err)
	}
	return Content{SHA256: hex.EncodeToString(h.Sum(nil)), Size: n}, true, nil
}

// reader ends with its ctx.
type reader struct {
	ctx context.Context
	r   io.Reader
}

// Read implements [io.Reader].
func (r reader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(p)
}
