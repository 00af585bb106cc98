package workdir

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"cosafs/index"
	"cosafs/vfs"
)

// openFile opens the file at path, of a build. An artifact has to be the one that e
// says: where another one took its place since, vfs.ErrStale says so, and the snapshot
// has the new one.
func (w library) openFile(ctx context.Context, path, build string, e vfs.Entry) (vfs.Blob, error) {
	if e.Kind == "" || e.SHA256 == "" {
		return openBlob(path, e)
	}
	b, err := openBlob(besidePath(path, e.SHA256), e)
	if !isAbsent(err) {
		return b, err // meta.json records it, and it is about to get its name
	}
	b, openErr := openBlob(path, e)
	if err := w.stillRecorded(ctx, path, build, e); err != nil {
		if openErr == nil {
			err = errors.Join(err, b.Close())
		}
		return nil, err
	}
	return b, openErr
}

// stillRecorded gives vfs.ErrStale if meta.json records other bytes under the file's
// name by now. It is read after the file was opened: the record changes first. A
// meta.json that can't be read says nothing against the file.
func (w library) stillRecorded(ctx context.Context, path, build string, e vfs.Entry) error {
	meta, err := w.records.meta(ctx, w.records.path(w.records.dirOf(ctx, build, e.Arch)))
	if err != nil {
		return nil //nolint:nilerr // see above
	}
	im, ok := meta.Image(index.Kind(e.Kind))
	if !ok || im.Path != filepath.Base(path) || im.SHA256 == e.SHA256 {
		return nil
	}
	w.look() // another process did it
	return replacedError(e)
}

func replacedError(e vfs.Entry) error {
	return fmt.Errorf("%s/%s/%s: another file took its place: %w", e.Build, e.Arch, e.Name, vfs.ErrStale)
}
