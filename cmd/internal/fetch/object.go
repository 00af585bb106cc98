package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"cosafs/backend"
	"cosafs/index"
	"cosafs/materialize"
)

// An object is one file to bring from the store.
type object struct {
	key     backend.Key  // in the store and in builds/
	sha256  string       // hex, as recorded; "" if nobody recorded it
	size    int64        // bytes, as recorded; -1 if not
	info    backend.Info // of the version that is fetched
	id      string       // names that version in the spool
	damaged bool         // what is here under the name isn't what it is recorded as
}

// look asks the store about an object. One of another size than the recorded one
// is [materialize.ErrCorrupt]: there is no use in moving its bytes.
func (f *fetcher) look(ctx context.Context, o *object) error {
	info, err := f.Store.Stat(ctx, o.key)
	if err != nil {
		return explain(o.key, err)
	}
	if o.size >= 0 && info.Size != o.size {
		err := fmt.Errorf("it has %d bytes in the store, and %d are recorded: %w", info.Size, o.size, materialize.ErrCorrupt)
		return explain(o.key, err)
	}
	if info.SHA256 != ([sha256.Size]byte{}) && o.sha256 == "" {
		o.sha256 = hex.EncodeToString(info.SHA256[:])
	}
	o.info = info
	o.id = digest(f.URL, string(o.key)) + "-" + digest(info.Version, fmt.Sprint(info.Size), o.sha256)
	return nil
}

// digest gives a short name for a few strings.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		_, _ = fmt.Fprintf(h, "%d:%s", len(p), p) // a hash takes everything
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// present says whether an image is here: a file of the recorded size and sha256.
// Without a recorded sha256 nobody can say.
func (f *fetcher) present(ctx context.Context, dir backend.Key, im index.Image) (bool, error) {
	if !f.hasFile(dir, im) || im.SHA256 == "" {
		return false, nil
	}
	file, err := os.Open(f.path(dir.Join(im.Path)))
	if err != nil {
		return false, err
	}
	defer func() { _ = file.Close() }() // read only
	sum, err := sumOf(ctx, file)
	return err == nil && sum == im.SHA256, err
}

// sumOf gives the sha256 of what r has, in hex.
func sumOf(ctx context.Context, r io.Reader) (string, error) {
	h := sha256.New()
	err := copyAll(ctx, h, r)
	return hex.EncodeToString(h.Sum(nil)), err
}

// lstat describes a regular file.
func lstat(path string) (fs.FileInfo, error) {
	st, err := os.Lstat(path)
	if err == nil && !st.Mode().IsRegular() {
		err = &fs.PathError{Op: "stat", Path: filepath.Clean(path), Err: fs.ErrInvalid}
	}
	return st, err
}
