package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"cosafs/backend"
	"cosafs/index"
	"cosafs/materialize"
)

// maxDocument bounds what is read into memory, in bytes; lists of thousands of
// builds have a few MB.
const maxDocument = 64 << 20

// document reads a small file whole.
func (v *verifier) document(ctx context.Context, key backend.Key) ([]byte, error) {
	info, err := v.Store.Stat(ctx, key)
	if err != nil {
		return nil, err
	}
	if info.Size > maxDocument {
		return nil, fmt.Errorf("%s has %d bytes: %w", key, info.Size, errors.ErrUnsupported)
	}
	body, err := v.Store.Open(ctx, key, backend.Range{Len: info.Size}, info.Version)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(body)
	return data, errors.Join(err, body.Close())
}

// readList reads builds.json; nil where it can't be understood, which is a
// finding.
func (v *verifier) readList(ctx context.Context) (*index.Builds, error) {
	data, err := v.document(ctx, "builds.json")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, materialize.Fail(materialize.ClassConfig, "verify", "give a directory or store that holds builds.json", err)
	}
	if err != nil {
		return nil, fmt.Errorf("read builds.json: %w", err)
	}
	f := v.add(Item{Path: "builds.json"})
	list, err := index.ParseBuilds(data)
	if err != nil {
		f.is(bad, "%s", problem(err))
		return nil, nil
	}
	f.is(checked, "")
	if wrong := list.Problems(); len(wrong) > 0 {
		f.is(bad, "%s", problem(errors.Join(wrong...)))
	}
	return list, nil
}

// choose picks the builds to look at.
func (v *verifier) choose(list *index.Builds) ([]index.Entry, error) {
	if len(v.Builds) == 0 {
		return list.Entries(), nil
	}
	var chosen []index.Entry
	for i, id := range v.Builds {
		if slices.Contains(v.Builds[:i], id) {
			continue
		}
		if id == "latest" {
			id = string(list.Latest())
		}
		e, ok := list.Entry(index.BuildID(id))
		if !ok {
			return nil, materialize.Fail(materialize.ClassConfig, "verify build "+id, "there is: "+ids(list),
				fmt.Errorf("builds.json does not list it: %w", fs.ErrNotExist))
		}
		chosen = append(chosen, e)
	}
	return chosen, nil
}

// ids names the newest builds for a person.
func ids(list *index.Builds) string {
	var names []string
	for _, e := range list.Entries() {
		if names = append(names, string(e.ID)); len(names) == 12 {
			names = append(names, "…")
			break
		}
	}
	return strings.Join(names, ", ")
}

// gather reads the meta.json files of a build and notes what they record. A
// legacy build has one directory for all architectures, and names none.
func (v *verifier) gather(ctx context.Context, list *index.Builds, e index.Entry) error {
	arches := e.Arches
	if list.Legacy() {
		arches = []index.Arch{""}
	}
	for _, a := range arches {
		if a != "" && !wants(v.Arches, string(a)) {
			continue
		}
		dir := backend.Key(strings.TrimSuffix(index.Dir(list, e.ID, a), "/"))
		if err := v.gatherArch(ctx, e, a, dir); err != nil {
			return err
		}
	}
	return nil
}

func (v *verifier) gatherArch(ctx context.Context, e index.Entry, a index.Arch, dir backend.Key) error {
	it := Item{Build: string(e.ID), Arch: string(a), Path: string(dir.Join("meta.json"))}
	f := v.add(it)
	meta, err := v.readMeta(ctx, dir)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, fs.ErrNotExist):
		f.is(gone, "it is not there")
		return nil
	case errors.Is(err, index.ErrSyntax), errors.Is(err, index.ErrSchema):
		f.is(bad, "%s", problem(err))
		return nil
	case err != nil:
		f.is(unknown, "%s", problem(err))
		return nil
	}
	f.is(checked, "")
	if id := meta.BuildID(); id != "" && id != e.ID {
		f.is(bad, "it describes the build %s", id)
	}
	for _, im := range meta.Images() {
		if wants(v.Artifacts, string(im.Kind)) {
			v.gatherImage(it, dir, im, e.Cleanup.Keeps(im.Kind))
		}
	}
	return nil
}

func (v *verifier) readMeta(ctx context.Context, dir backend.Key) (*index.Meta, error) {
	data, err := v.document(ctx, dir.Join("meta.json"))
	if err != nil {
		return nil, err
	}
	return index.ParseMeta(data)
}

func (v *verifier) gatherImage(it Item, dir backend.Key, im index.Image, kept bool) {
	it.Kind, it.Path = string(im.Kind), im.Path
	f := v.add(it)
	f.image, f.kept = im, kept
	if _, err := im.File(); err != nil {
		f.is(bad, "the recorded path is no file name")
		return
	}
	f.Path = string(dir.Join(im.Path))
}
