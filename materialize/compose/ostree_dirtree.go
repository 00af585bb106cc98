package compose

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"cosafs/materialize"
)

// dirtreeType is the GVariant type of a directory: names and checksums of its
// files, then names of its directories, each with the checksums of dirtree and
// dirmeta (libostree, ostree-core.h: OSTREE_TREE_GVARIANT_STRING).
const dirtreeType = "(a(say)a(sayay))"

// A dirtree is what a directory consists of.
type dirtree struct {
	files []string // checksums of files and links
	dirs  []subdir
}

// A subdir is one directory in another, or a commit's root.
type subdir struct{ tree, meta string } // checksums

func parseDirtree(raw []byte) (dirtree, error) {
	var d dirtree
	v, err := decodeVariant(dirtreeType, raw)
	if err != nil {
		return d, err
	}
	files, dirs := pair(v)
	for _, f := range files {
		sums, err := checksums(f, 1)
		if err != nil {
			return d, err
		}
		d.files = append(d.files, sums[0])
	}
	for _, s := range dirs {
		sums, err := checksums(s, 2)
		if err != nil {
			return d, err
		}
		d.dirs = append(d.dirs, subdir{sums[0], sums[1]})
	}
	return d, nil
}

// pair gives the two lists of a decoded dirtree.
func pair(v any) (files, dirs []any) {
	lists := v.([]any)                        //nolint:errcheck // the type says so
	return lists[0].([]any), lists[1].([]any) //nolint:errcheck // likewise
}

// checksums gives the n checksums that follow an entry's name.
func checksums(entry any, n int) ([]string, error) {
	var sums []string
	for _, v := range entry.([]any)[1:] { //nolint:errcheck // the type says so
		sum, ok := v.([]byte)
		if !ok || len(sum) != sha256.Size {
			return nil, errVariant
		}
		sums = append(sums, hex.EncodeToString(sum))
	}
	if len(sums) != n {
		return nil, errVariant
	}
	return sums, nil
}

// objectPath is where a repository keeps an object, from its top.
func objectPath(sum, kind string) string {
	return filepath.Join("objects", sum[:2], sum[2:]+"."+kind)
}

// commitObjects lists the objects of a commit in an archive-mode repository: path
// from its top, and size in bytes. It reads the directories alone, which are
// verified. One object that isn't there is fs.ErrNotExist.
func commitObjects(ctx context.Context, repo, commit string) (map[string]int64, error) {
	c, err := ReadCommit(repo, commit)
	if err != nil {
		return nil, err
	}
	w := objectWalk{repo, map[string]int64{}}
	if err := errors.Join(w.add(commit, "commit"), ifThere(w.add(commit, "commitmeta"))); err != nil {
		return nil, err
	}
	return w.objects, w.dir(ctx, c.root)
}

// ifThere takes what isn't there for no error.
func ifThere(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// An objectWalk collects objects.
type objectWalk struct {
	repo    string
	objects map[string]int64 // by path
}

// add adds an object, unless it is known.
func (w objectWalk) add(sum, kind string) error {
	path := objectPath(sum, kind)
	if _, known := w.objects[path]; known {
		return nil
	}
	st, err := os.Stat(filepath.Join(w.repo, path))
	if err != nil {
		return err
	}
	w.objects[path] = st.Size()
	return nil
}

// dir adds a directory with all that is in it.
func (w objectWalk) dir(ctx context.Context, d subdir) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := w.add(d.meta, "dirmeta"); err != nil {
		return err
	}
	if _, known := w.objects[objectPath(d.tree, "dirtree")]; known {
		return nil
	}
	in, err := w.readDir(d.tree)
	if err != nil {
		return err
	}
	for _, f := range in.files {
		if err := w.add(f, "filez"); err != nil {
			return err
		}
	}
	for _, s := range in.dirs {
		if err := w.dir(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// readDir reads a directory's object, and adds it.
func (w objectWalk) readDir(sum string) (dirtree, error) {
	path := objectPath(sum, "dirtree")
	raw, err := os.ReadFile(filepath.Join(w.repo, path))
	if err != nil {
		return dirtree{}, err
	}
	if got := sha256.Sum256(raw); hex.EncodeToString(got[:]) != sum {
		return dirtree{}, fmt.Errorf("read %s: %w", path, materialize.ErrCorrupt)
	}
	w.objects[path] = int64(len(raw))
	d, err := parseDirtree(raw)
	if err != nil {
		return dirtree{}, fmt.Errorf("read %s: %w", path, err)
	}
	return d, nil
}
