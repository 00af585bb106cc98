package workdir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"cosafs/backend"
	"cosafs/index"
	"cosafs/materialize"
)

// ReplaceArtifact implements [materialize.Records]: the new file first, then
// meta.json, then the old file goes. Whoever has that open reads on. The journal
// lets the next process do the rest, or take the first step back. See
// [records.replaceInPlace] for a file of the same name.
func (r *records) ReplaceArtifact(ctx context.Context, id, arch string, was, now materialize.Artifact, file string) error {
	if was.File == now.File {
		return r.replaceInPlace(ctx, id, arch, was, now, file)
	}
	dir := r.dirOf(ctx, id, arch)
	n := note{ID: id, Arch: arch, File: now.File, Was: was.File}
	begun, err := r.journal.begin(n)
	if err != nil {
		return err
	}
	key := backend.Key(filepath.ToSlash(dir))
	if err := r.builds.AddFile(ctx, file, key.Join(now.File)); err != nil {
		return errors.Join(inTheWay(now.File, err), begun.strike())
	}
	defer r.onChange()
	if err := r.swapImage(ctx, key.Join("meta.json"), was, now); err != nil {
		return errors.Join(err, r.complete(context.WithoutCancel(ctx), n), begun.strike())
	}
	if err := removeIfThere(filepath.Join(r.path(dir), was.File)); err != nil {
		return errors.Join(err, begun.leave()) // the next process tries again
	}
	return begun.strike()
}

// inTheWay tells what to do about a file that nobody records and that has the name
// of the new one: cosa leaves such a file when it is killed.
func inTheWay(name string, err error) error {
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	return materialize.Fail(materialize.ClassConfig, "add "+name, "meta.json doesn't record that file: remove it and try again", err)
}

// swapImage changes the entry in meta.json as it is by now, if it is still that of
// was.
func (r *records) swapImage(ctx context.Context, file backend.Key, was, now materialize.Artifact) error {
	return explainChange(r.builds.UpdateJSON(ctx, file, func(old []byte) ([]byte, error) {
		m, err := index.ParseMeta(old)
		if err != nil {
			return nil, err
		}
		if im, _ := m.Image(index.Kind(was.Kind)); im.Path != was.File || im.SHA256 != was.SHA256 {
			return nil, fmt.Errorf("%s was changed meanwhile: %w", was.Kind, fs.ErrExist)
		}
		if err := m.SetImage(index.Kind(now.Kind), imageOf(now)); err != nil {
			return nil, err
		}
		m.SetStamp(r.now().UnixNano())
		return m.Bytes(), m.Validate()
	}))
}
