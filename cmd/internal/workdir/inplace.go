package workdir

import (
	"context"
	"errors"
	"path/filepath"

	"cosafs/backend"
	"cosafs/backend/dirstore"
	"cosafs/index"
	"cosafs/materialize"
)

// replaceInPlace replaces an artifact by another one of the same file name. The new
// file waits beside the old one until meta.json records it, and then takes its name:
// until then the old one is recorded and there, and from then on the new one. What
// a killed process left of that is finished by [records.recover].
func (r *records) replaceInPlace(ctx context.Context, id, arch string, was, now materialize.Artifact, file string) error {
	dir := backend.Key(filepath.ToSlash(r.dirOf(ctx, id, arch)))
	n := note{ID: id, Arch: arch, File: now.File, Was: was.File, SHA256: now.SHA256}
	begun, err := r.journal.begin(n)
	if err != nil {
		return err
	}
	if err := r.builds.PutBeside(ctx, file, dir.Join(now.File), versionOf(now.SHA256)); err != nil {
		return errors.Join(err, begun.strike())
	}
	defer r.onChange()
	err = r.swapImage(ctx, dir.Join("meta.json"), was, now)
	if rest := r.complete(context.WithoutCancel(ctx), n); rest != nil {
		return errors.Join(err, rest, begun.leave()) // the next process tries again
	}
	return errors.Join(err, begun.strike())
}

// settle gives the file that waits beside an artifact its name if meta.json records
// it by now, and deletes it if not.
func (r *records) settle(meta *index.Meta, dir backend.Key, n note) error {
	if !index.ValidName(n.File) {
		return nil // no note of ours
	}
	for _, im := range meta.Images() {
		if im.Path == n.File && im.SHA256 == n.SHA256 {
			return ifPresent(r.builds.TakePlace(dir.Join(n.File), versionOf(n.SHA256)))
		}
	}
	return ifPresent(r.builds.DropBeside(dir.Join(n.File), versionOf(n.SHA256)))
}

// besidePath is where the file at path, of that digest, lies as long as another one
// has its name.
func besidePath(path, sha256 string) string {
	return filepath.Join(filepath.Dir(path), dirstore.BesideName(filepath.Base(path), versionOf(sha256)))
}

// versionOf is the part of a digest that tells files of one name apart.
func versionOf(sha256 string) string { return sha256[:min(len(sha256), 16)] }
