package compose

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"weak"

	"cosafs/materialize"
	"cosafs/materialize/disk/view"
)

// Export writes *-ostree.<arch>.tar: what [OSTree.ExportView] shows, after the
// commit was brought into the archive-mode repository. out must not exist.
func (o *OSTree) Export(ctx context.Context, commit string, refs []string, out string, t *materialize.Task) error {
	im, err := repoTar(ctx, o.cfg.Repo, commit, refs)
	if errors.Is(err, fs.ErrNotExist) {
		if err := o.archive(ctx, commit, t); err != nil {
			return err
		}
		im, err = repoTar(ctx, o.cfg.Repo, commit, refs)
	}
	if err != nil {
		return fmt.Errorf("export commit: %w", err)
	}
	for _, ref := range refs { // cosa goes on from there, and it keeps the commit from being pruned
		if _, err := o.run(ctx, "refs", "--repo="+o.cfg.Repo, "--force", "--create="+ref, commit); err != nil {
			return err
		}
	}
	t.Phase("write ostree artifact", 0.7)
	if err := writeImage(ctx, im, out); err != nil {
		return tarFailure("export commit", err)
	}
	return nil
}

// archive brings a commit into the archive-mode repository.
func (o *OSTree) archive(ctx context.Context, commit string, t *materialize.Task) error {
	if err := o.ensure(ctx, o.cfg.Repo, "archive"); err != nil {
		return err
	}
	t.Phase("compress commit", 0)
	return o.pull(ctx, t, o.cfg.BareRepo, o.cfg.Repo, commit)
}

// writeImage writes a new file, whole or not at all.
func writeImage(ctx context.Context, im view.Image, out string) error {
	f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if err := errors.Join(view.Copy(ctx, f, im), f.Close()); err != nil {
		return errors.Join(err, os.Remove(out)) // half a file must not pass for one
	}
	return nil
}

// exported are the artifacts that were looked at, by commit and refs.
type exported struct {
	size   int64
	shared weak.Pointer[exportView] // of a large commit it takes some MB: all who read it share one
}

// ExportSize implements [materialize.CommitStore].
func (o *OSTree) ExportSize(ctx context.Context, commit string, refs []string) (int64, error) {
	if err := o.archived(commit); err != nil {
		return 0, err
	}
	if known, ok := o.exports.Load(exportKey(commit, refs)); ok {
		return known.(exported).size, nil //nolint:errcheck // nothing else is stored
	}
	v, err := o.ExportView(ctx, commit, refs)
	if err != nil {
		return 0, err
	}
	return v.Size(), v.Close()
}

// ExportView implements [materialize.CommitStore].
func (o *OSTree) ExportView(ctx context.Context, commit string, refs []string) (materialize.View, error) {
	if err := o.archived(commit); err != nil {
		return nil, err
	}
	key := exportKey(commit, refs)
	if known, ok := o.exports.Load(key); ok {
		if v := known.(exported).shared.Value(); v != nil { //nolint:errcheck // nothing else is stored
			return v, nil
		}
	}
	im, err := repoTar(ctx, o.cfg.Repo, commit, refs)
	if err != nil {
		return nil, fmt.Errorf("look at commit %s: %w", commit, err)
	}
	v := &exportView{im}
	o.exports.Store(key, exported{im.Size(), weak.Make(v)})
	return v, nil
}

func exportKey(commit string, refs []string) string {
	return commit + "\n" + strings.Join(refs, "\n")
}

// archived gives fs.ErrNotExist unless the archive-mode repository has the whole
// commit.
func (o *OSTree) archived(commit string) error {
	ok, err := hasCommit(o.cfg.Repo, commit)
	if err == nil && !ok {
		err = fmt.Errorf("%s has no commit %s: %w", o.cfg.Repo, commit, fs.ErrNotExist)
	}
	return err
}

// hasCommit says whether a repository has a whole commit.
func hasCommit(repo, commit string) (bool, error) {
	if !commitID.MatchString(commit) {
		return false, nil
	}
	_, err := os.Stat(commitPath(repo, commit))
	if err == nil { // ostree marks commits of which it has only parts
		_, err = os.Stat(filepath.Join(repo, "state", commit+".commitpartial"))
		return errors.Is(err, fs.ErrNotExist), ifThere(err)
	}
	return false, ifThere(err)
}

// exportView is the artifact as a view. It holds nothing open: Close does nothing,
// and many may share it.
type exportView struct{ view.Image }

var _ materialize.View = (*exportView)(nil)

// Close implements [materialize.View].
func (*exportView) Close() error { return nil }

// Blocks implements [materialize.View].
func (v *exportView) Blocks() int64 { return view.Blocks(v) }

// Next implements [view.Image]. All of it is data.
func (v *exportView) Next(off int64) (view.Extent, bool) {
	return view.Extent{Start: off, End: v.Size()}, off < v.Size()
}

// Data implements [materialize.View].
func (v *exportView) Data(off int64) (materialize.Extent, bool) {
	return materialize.Extent{Offset: off, Length: v.Size() - off}, off < v.Size()
}

// LocalFile implements [materialize.View].
func (*exportView) LocalFile() (*os.File, bool) { return nil, false }

// Source implements [materialize.View].
func (v *exportView) Source(off, n int64) (f *os.File, at int64, ok bool) {
	return view.Source(v, off, n)
}
