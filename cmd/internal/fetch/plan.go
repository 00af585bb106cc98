package fetch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"cosafs/backend"
	"cosafs/index"
	"cosafs/materialize"
)

// An arch is what is fetched of a build for one architecture.
type arch struct {
	name    index.Arch
	dir     backend.Key // in the store and in builds/
	meta    *index.Meta // the store's
	objects []*object   // files to bring, but for meta.json
}

// add adds a file to what is brought, once.
func (a *arch) add(o *object) {
	if !slices.ContainsFunc(a.objects, func(p *object) bool { return p.key == o.key }) {
		a.objects = append(a.objects, o)
	}
}

// optional are the files that cosa fetches with every meta.json, if they are
// there: builds that were imported have none, old ones lack the first.
var optional = []string{"commitmeta.json", "ostree-commit-object"}

// plan finds out what has to be brought.
func (f *fetcher) plan(ctx context.Context, chosen choice) ([]*arch, error) {
	var all []*arch
	for _, name := range chosen.arches {
		a, err := f.planArch(ctx, chosen, name)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

func (f *fetcher) planArch(ctx context.Context, chosen choice, name index.Arch) (*arch, error) {
	a := &arch{name: name, dir: backend.Key(chosen.id).Join(string(name))}
	if err := a.dir.Check(); err != nil {
		return nil, err
	}
	data, err := f.document(ctx, a.dir.Join("meta.json"))
	if err != nil {
		return nil, explain(a.dir.Join("meta.json"), err)
	}
	if a.meta, err = index.ParseMeta(data); err != nil {
		return nil, materialize.Fail(materialize.ClassConfig, "read meta.json of "+string(a.dir),
			"the store's copy is damaged: ask whoever publishes there", err)
	}
	if err := f.planImages(ctx, a, chosen.kept); err != nil {
		return nil, err
	}
	return a, f.planFiles(ctx, a)
}

// planImages decides about each image that was asked for. The record that will
// be here counts: it may be another than the store's.
func (f *fetcher) planImages(ctx context.Context, a *arch, kept index.Cleanup) error {
	images, err := chooseImages(string(a.dir), a.meta, f.Options)
	if err != nil {
		return err
	}
	local, err := f.localMeta(ctx, a.dir)
	if err != nil {
		return err
	}
	merged, err := f.mergeMeta(a.dir, local, a.meta)
	if err != nil {
		return err
	}
	for _, im := range images {
		here, _ := merged.Image(im.Kind)
		f.tell(materialize.Event{Phase: "look", Message: here.Path})
		there, err := f.present(ctx, a.dir, here)
		switch {
		case err != nil:
			return err
		case there:
			f.report.Skipped = append(f.report.Skipped, string(a.dir.Join(here.Path)))
			continue
		case here.SHA256 != im.SHA256 || here.Path != im.Path:
			return materialize.Fail(materialize.ClassConfig, fmt.Sprintf("fetch %s of %s", im.Kind, a.dir),
				"--force takes the store's record", materialize.Says(fs.ErrExist, "meta.json here records it with other bytes"))
		}
		if err := f.planImage(ctx, a, im, local, kept); err != nil {
			return err
		}
	}
	return nil
}

// planImage adds an image to what is brought. One that was deleted from the store
// by its policy is left out of "all", with a note.
func (f *fetcher) planImage(ctx context.Context, a *arch, im index.Image, local *index.Meta, kept index.Cleanup) error {
	name, err := im.File()
	if err != nil {
		return fmt.Errorf("fetch %s of %s: %w", im.Kind, a.dir, err)
	}
	o := &object{key: a.dir.Join(name), sha256: im.SHA256, size: im.Size}
	err = f.look(ctx, o)
	if errors.Is(err, fs.ErrNotExist) && !kept.Keeps(im.Kind) && !f.asked(im.Kind) {
		f.note("%s of %s was deleted from %s", im.Kind, a.dir, f.URL)
		return nil
	}
	if err != nil {
		return err
	}
	o.damaged = local == nil || recordsSame(local, im)
	if o.sha256 == "" {
		f.note("no sha256 is recorded for %s: nobody can tell whether it is right", o.key)
	}
	a.add(o)
	return nil
}

// asked says whether a kind was asked for by its name.
func (f *fetcher) asked(kind index.Kind) bool {
	return slices.Contains(f.Artifacts, string(kind))
}

func recordsSame(m *index.Meta, im index.Image) bool {
	r, ok := m.Image(im.Kind)
	return ok && r.SHA256 == im.SHA256
}

// planFiles adds the files that meta.json says nothing of.
func (f *fetcher) planFiles(ctx context.Context, a *arch) error {
	for _, name := range optional {
		o := &object{key: a.dir.Join(name), size: -1}
		err := f.look(ctx, o)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case errors.Is(err, fs.ErrPermission):
			// Stores that may not be listed answer so where there is nothing.
			f.note("%s is left out: %s does not say whether there is one", o.key, f.URL)
			continue
		case err != nil:
			return err
		}
		a.add(o)
	}
	for _, name := range f.Files {
		if !index.ValidName(name) || strings.HasPrefix(name, ".") {
			return fmt.Errorf("fetch file %q: not the name of a build's file: %w", name, fs.ErrInvalid)
		}
		if slices.Contains(optional, name) || name == "meta.json" {
			continue // comes anyway
		}
		o := &object{key: a.dir.Join(name), size: -1}
		if err := f.look(ctx, o); err != nil {
			return err
		}
		a.add(o)
	}
	return nil
}
