package fetch

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// dropRefs takes the refs of the fetched commits out of tmp/repo, as cosa does:
// the next build goes on from the commit that was fetched, not from an older one
// that the ref names. The commits stay.
func (f *fetcher) dropRefs(arches []*arch) error {
	for _, a := range arches {
		ref := filepath.FromSlash(a.meta.Ref())
		if ref == "" || !filepath.IsLocal(ref) {
			continue
		}
		err := os.Remove(filepath.Join(f.Workdir, "tmp", "repo", "refs", "heads", ref))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
