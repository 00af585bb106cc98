package upload

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"cosafs/backend"
	"cosafs/cmd/internal/cas"
	"cosafs/index"
	"cosafs/materialize"
)

// remote is what the store has of one build, when the upload began.
type remote struct {
	list  *index.Builds // an empty one where the store has none
	metas map[index.Arch]*index.Meta
}

func readRemote(ctx context.Context, o Options, src *local) (*remote, error) {
	r := &remote{metas: map[index.Arch]*index.Meta{}}
	data, err := readDocument(ctx, o.Dest, listFile)
	if err != nil {
		return nil, err
	}
	if r.list, err = parseList(o, data); err != nil {
		return nil, err
	}
	if err := r.alive(src.id, o.Force); err != nil {
		return nil, err
	}
	for _, a := range src.arches {
		data, err := readDocument(ctx, o.Dest, a.key.Join(metaFile))
		if err != nil {
			return nil, err
		}
		if r.metas[a.arch], err = parseMeta(a, data); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// readDocument gives nil for an absent one.
func readDocument(ctx context.Context, s backend.Store, key backend.Key) ([]byte, error) {
	data, _, err := cas.Read(ctx, s, key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read %s of the store: %w", key, err)
	}
	return data, nil
}

// parseList reads the store's list; nil is an empty one.
func parseList(o Options, data []byte) (*index.Builds, error) {
	if data == nil {
		return index.NewBuilds(), nil
	}
	list, err := index.ParseBuilds(data)
	if err != nil {
		return nil, materialize.Fail(materialize.ClassConfig, "read "+listFile+" of "+o.URL,
			"restore it: cosa keeps builds.json.bak beside it", err)
	}
	if list.Legacy() {
		return nil, legacyList("upload to "+o.URL, "upload to a new prefix")
	}
	return list, nil
}

// parseMeta reads the store's meta.json; nil gives nil.
func parseMeta(a *archDir, data []byte) (*index.Meta, error) {
	if data == nil {
		return nil, nil
	}
	m, err := index.ParseMeta(data)
	if err != nil {
		return nil, materialize.Fail(materialize.ClassConfig, fmt.Sprintf("read %s of the store", a.key.Join(metaFile)),
			"it is damaged: delete it there, then upload again", err)
	}
	return m, nil
}

// alive refuses a build that garbage collection deleted from the store.
func (r *remote) alive(id index.BuildID, force bool) error {
	dead := slices.ContainsFunc(r.list.Tombstones(), func(e index.Entry) bool { return e.ID == id })
	if force || !dead || r.list.Has(id) {
		return nil
	}
	return materialize.Fail(materialize.ClassConfig, "upload "+string(id), "--force publishes it again",
		materialize.Says(fs.ErrExist, "garbage collection deleted this build from the store"))
}

// lists says whether the store's list has all that is uploaded.
func (r *remote) lists(src *local) bool {
	return !slices.ContainsFunc(src.arches, func(a *archDir) bool { return !r.listed(src.id, a.arch) })
}

func (r *remote) listed(id index.BuildID, arch index.Arch) bool {
	return slices.Contains(r.list.Arches(id), arch)
}

// recorded gives the image that the store's meta.json records under a file name.
func (r *remote) recorded(arch index.Arch, name string) (index.Image, bool) {
	m := r.metas[arch]
	if m == nil {
		return index.Image{}, false
	}
	for _, im := range m.Images() {
		if im.Path == name {
			return im, true
		}
	}
	return index.Image{}, false
}

// deleted says whether garbage collection deleted an artifact of the build.
func (r *remote) deleted(id index.BuildID, kind index.Kind) bool {
	e, ok := r.list.Entry(id)
	return ok && !e.Cleanup.Keeps(kind)
}
