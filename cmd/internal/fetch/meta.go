package fetch

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"time"

	"cosafs/backend"
	"cosafs/index"
	"cosafs/materialize"
)

// localMeta reads the meta.json that is here; nil where there is none.
func (f *fetcher) localMeta(ctx context.Context, dir backend.Key) (*index.Meta, error) {
	var m *index.Meta
	err := f.builds.ReadJSON(ctx, dir.Join("meta.json"), func(b []byte) (err error) {
		m, err = index.ParseMeta(b)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, brokenMeta(dir, err)
	}
	return m, nil
}

func brokenMeta(dir backend.Key, err error) error {
	return materialize.Fail(materialize.ClassConfig, "read "+string(dir)+"/meta.json",
		"move it away: the store's takes its place then", err)
}

// mergeMeta gives the meta.json to have here, where local may be nil. Documents
// of different builds are [index.ErrConflict].
//
// What only one of the two says stays, as in cosa's own merge. Where they
// differ the later stamp wins, with Force the store's. An image whose file is
// here keeps its record: it may have been compressed or extended since.
func (f *fetcher) mergeMeta(dir backend.Key, local, remote *index.Meta) (*index.Meta, error) {
	if local == nil || bytes.Equal(local.Bytes(), remote.Bytes()) {
		return remote, nil
	}
	winner, loser := local, remote
	if ours, _ := local.Stamp(); f.Force || stamp(remote) > ours {
		winner, loser = remote, local
	}
	merged, err := union(winner, loser)
	if err != nil {
		return nil, materialize.Fail(materialize.ClassConfig, "merge "+string(dir)+"/meta.json",
			"move the directory away: it is another build of the same name", err)
	}
	for _, im := range local.Images() {
		if !f.Force && f.hasFile(dir, im) {
			if err := merged.SetImage(im.Kind, im); err != nil {
				return nil, err
			}
		}
	}
	for _, same := range []*index.Meta{local, remote} {
		merged.SetStamp(stamp(same))
		if bytes.Equal(merged.Bytes(), same.Bytes()) {
			return same, nil
		}
	}
	merged.SetStamp(time.Now().UnixNano())
	return merged, nil
}

func stamp(m *index.Meta) int64 {
	ns, _ := m.Stamp()
	return ns
}

// union merges two documents. An image is taken whole from the winner: of two
// that differ in compression the union would be neither.
func union(winner, loser *index.Meta) (*index.Meta, error) {
	a, b := winner.Clone(), loser.Clone()
	a.SetStamp(1)
	b.SetStamp(0)
	merged, err := index.Merge(a, b)
	if err != nil {
		return nil, err
	}
	for _, im := range winner.Images() {
		if _, err := im.File(); err != nil {
			continue // no name of a file; it stays as it is
		}
		if err := merged.SetImage(im.Kind, im); err != nil {
			return nil, err
		}
	}
	return merged, nil
}

// hasFile says whether an image's file is here, going by its size.
func (f *fetcher) hasFile(dir backend.Key, im index.Image) bool {
	name, err := im.File()
	if err != nil {
		return false
	}
	st, err := lstat(f.path(dir.Join(name)))
	return err == nil && (im.Size < 0 || st.Size() == im.Size)
}

// recordMeta puts the store's meta.json in its place, last of an architecture's
// files, merged with what is there by then.
func (f *fetcher) recordMeta(ctx context.Context, a *arch) error {
	key := a.dir.Join("meta.json")
	var next *index.Meta
	var changed bool
	var refused error
	err := f.builds.UpdateJSON(ctx, key, func(old []byte) ([]byte, error) {
		if next, refused = f.nextMeta(a, old); refused != nil {
			return nil, refused
		}
		changed = !bytes.Equal(old, next.Bytes())
		return next.Bytes(), nil
	})
	switch {
	case refused != nil:
		return refused
	case err != nil:
		return locked(err)
	case !changed:
		f.report.Skipped = append(f.report.Skipped, string(key))
		return nil
	case next != a.meta:
		f.note("%s was changed here, and is merged with the one of %s", key, f.URL)
	}
	f.fetched(string(key))
	return nil
}

// nextMeta is mergeMeta for the bytes that are there, nil for none.
func (f *fetcher) nextMeta(a *arch, old []byte) (*index.Meta, error) {
	if len(old) == 0 {
		return a.meta, nil
	}
	local, err := index.ParseMeta(old)
	if err != nil {
		return nil, brokenMeta(a.dir, err)
	}
	return f.mergeMeta(a.dir, local, a.meta)
}
