package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"

	"cosafs/backend"
)

// maxDocument bounds what is read into memory, in bytes. The largest documents
// known, commitmeta.json and lists of thousands of builds, have a few MB.
const maxDocument = 64 << 20

// document reads a small file of the store whole, in one version.
func (f *fetcher) document(ctx context.Context, key backend.Key) ([]byte, error) {
	for try := 1; ; try++ {
		data, err := f.readOnce(ctx, key)
		if !errors.Is(err, backend.ErrChanged) || try == 3 {
			f.moved.Add(int64(len(data)))
			return data, err
		}
	}
}

func (f *fetcher) readOnce(ctx context.Context, key backend.Key) ([]byte, error) {
	info, err := f.Store.Stat(ctx, key)
	if err != nil {
		return nil, err
	}
	if info.Size > maxDocument {
		return nil, fmt.Errorf("%s has %d bytes: %w", key, info.Size, errors.ErrUnsupported)
	}
	body, err := f.Store.Open(ctx, key, backend.Range{Len: info.Size}, info.Version)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(body)
	return data, errors.Join(err, body.Close())
}
