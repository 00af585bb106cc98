package materialize

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// publish fills the staging directory and makes it the build.
func (b *building) publish(ctx context.Context, n NewBuild) error {
	if err := os.MkdirAll(n.Staging, 0o755); err != nil {
		return err
	}
	if err := b.stageMetadata(ctx, n); err != nil {
		return err
	}
	b.task.Phase("export commit", 0.85)
	out := filepath.Join(n.Staging, b.Records.FileName(KindOSTree, n.Name, n.ID, n.Arch))
	made := Build{ID: n.ID, Ref: n.Commit.Ref, Commit: n.Commit.Checksum}
	tar, err := b.exportCommit(ctx, made, out, b.task.Part(0.85, 0.97))
	if err != nil {
		return err
	}
	n.Artifacts = append(n.Artifacts, tar)
	b.task.Phase("publish", 0.97)
	if err := b.Commits.SetRef(ctx, n.ID, n.Commit.Checksum); err != nil {
		return err
	}
	if err := b.Records.Add(ctx, n); err != nil {
		return fmt.Errorf("publish build %s: %w", n.ID, err)
	}
	return nil
}

// commitFiles names the files of a build that hold parts of a commit.
func commitFiles(c *Commit, arch string) map[string]*[]byte {
	return map[string]*[]byte{
		"commitmeta.json":                           &c.CommitMeta,
		"ostree-commit-object":                      &c.Object,
		"manifest-lock.generated." + arch + ".json": &c.Lockfile,
	}
}

// stageMetadata writes the files that stand beside meta.json.
func (b *building) stageMetadata(ctx context.Context, n NewBuild) error {
	for name, content := range commitFiles(&n.Commit, n.Arch) {
		if len(*content) == 0 {
			continue
		}
		if err := os.WriteFile(filepath.Join(n.Staging, name), *content, 0o444); err != nil {
			return err
		}
	}
	return b.Config.archive(ctx, b.prov, n.Staging)
}

// reuse completes a commit that is the previous build's: the engine, which made
// nothing, tells only its name.
func (b *building) reuse(ctx context.Context) error {
	p, c := b.previous, &b.commit
	if err := b.haveCommit(ctx, *p, b.task); err != nil {
		return err
	}
	c.Ref, c.ContentChecksum, c.Timestamp, c.Packages = p.Ref, p.ContentChecksum, p.CommitTime, p.Packages
	for name, content := range commitFiles(c, b.Arch) {
		var err error
		if *content, err = os.ReadFile(filepath.Join(p.Dir, name)); err != nil && !isAbsent(err) {
			return err
		}
	}
	return nil
}

// exportRefs are the names of a build's commit in its ostree artifact.
func exportRefs(b Build) []string {
	if b.Ref == "" {
		return []string{b.ID}
	}
	return []string{b.ID, b.Ref}
}

// exportCommit writes the ostree artifact of a build.
func (m *Maker) exportCommit(ctx context.Context, b Build, out string, task *Task) (Artifact, error) {
	if err := m.Commits.Export(ctx, b.Commit, exportRefs(b), out, task); err != nil {
		return Artifact{}, err
	}
	if err := os.Chmod(out, 0o444); err != nil {
		return Artifact{}, err
	}
	sum, size, err := hashFile(ctx, out)
	return Artifact{Kind: KindOSTree, File: filepath.Base(out), Size: size, SHA256: sum, SkipCompression: true, Local: true}, err
}

// PruneCommits takes the names of deleted builds away from their commits, and
// deletes commits that have no name left. While a build is being made, whose
// commit has no name yet, those stay until the next time.
func (m *Maker) PruneCommits(ctx context.Context, gone []BuildRef) error {
	var err error
	for _, b := range gone {
		err = errors.Join(err, m.Commits.DeleteRef(ctx, b.ID))
	}
	lock, lockErr := m.tryBuildLock()
	if lockErr != nil {
		if errors.Is(lockErr, errLocked) {
			lockErr = nil
		}
		return errors.Join(err, lockErr)
	}
	defer func() { _ = lock.Close() }() // an empty file: nothing to lose
	return errors.Join(err, m.Commits.Prune(ctx))
}
