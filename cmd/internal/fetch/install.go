package fetch

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"cosafs/backend"
	"cosafs/materialize"
)

// installArch shows the files of an architecture: with their directory if that
// is new, else one by one, meta.json last.
func (f *fetcher) installArch(ctx context.Context, a *arch) error {
	err := fs.ErrExist
	if !isDir(f.path(a.dir)) {
		err = f.publish(ctx, a)
	}
	if errors.Is(err, fs.ErrExist) { // or somebody was faster
		err = f.addTo(ctx, a)
	}
	if err != nil {
		return explain(a.dir, err)
	}
	return nil
}

// publish makes the architecture's directory by one rename. The files are linked
// into it, so that those of a publication that was cut off are still there.
func (f *fetcher) publish(ctx context.Context, a *arch) error {
	stage, err := os.MkdirTemp(f.spool.dir, stagePrefix)
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(stage) }() // gone if it was published; else swept next time
	for _, o := range a.objects {
		if err := os.Link(f.spool.done(o), filepath.Join(stage, o.key.Base())); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(stage, "meta.json"), a.meta.Bytes(), 0o644); err != nil {
		return err
	}
	if err := f.builds.Publish(ctx, stage, a.dir); err != nil {
		return err
	}
	f.fetched(string(a.dir.Join("meta.json")))
	for _, o := range a.objects {
		f.fetched(string(o.key))
		if err := os.Remove(f.spool.done(o)); err != nil {
			return err
		}
	}
	return nil
}

// addTo adds files to a directory that is there.
func (f *fetcher) addTo(ctx context.Context, a *arch) error {
	for _, o := range a.objects {
		if err := f.addFile(ctx, o); err != nil {
			return err
		}
	}
	return f.recordMeta(ctx, a)
}

// addFile adds one file. One of the name that has other bytes is replaced where
// it is not what meta.json here says it is, or with Force.
func (f *fetcher) addFile(ctx context.Context, o *object) error {
	_, statErr := os.Lstat(f.path(o.key))
	err := f.builds.AddFile(ctx, f.spool.done(o), o.key)
	if errors.Is(err, fs.ErrExist) && (f.Force || o.damaged) {
		f.note("%s had other bytes than are recorded, and was fetched again", o.key)
		if err := f.dir.Delete(ctx, o.key, backend.Cond{}); err != nil {
			return err
		}
		statErr = fs.ErrNotExist
		err = f.builds.AddFile(ctx, f.spool.done(o), o.key)
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return materialize.Fail(materialize.ClassConfig, "fetch "+string(o.key), "--force replaces it",
			materialize.Says(fs.ErrExist, "a file of this name with other bytes is here"))
	case err != nil:
		return err
	case statErr == nil:
		f.report.Skipped = append(f.report.Skipped, string(o.key))
	default:
		f.fetched(string(o.key))
	}
	return nil
}

func (f *fetcher) fetched(name string) { f.report.Fetched = append(f.report.Fetched, name) }
