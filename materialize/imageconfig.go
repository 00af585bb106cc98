package materialize

import (
	"context"
	"encoding/json"
	"errors"
)

// An imageConfig is what a build's images are made with, beside its commit.
type imageConfig struct {
	image     []byte // image.json
	platforms []byte // platforms.json, of the build's architecture
}

// Where a commit keeps the configuration that it was composed with (cosa since
// 2022-06 and 2024-02).
const (
	imageJSONPath     = "/usr/share/coreos-assembler/image.json"
	platformsJSONPath = "/usr/share/coreos-assembler/platforms.json"
)

// imageOf gives the image configuration that the build was composed with. A commit
// that is gone may have left it with its disk. What the commit of an older cosa does
// not carry is today's.
func (m *Maker) imageOf(ctx context.Context, b Build) (imageConfig, error) {
	c, err := m.committed(ctx, b)
	if err == nil && c.image == nil && !m.Commits.Has(ctx, b.Commit) {
		if kept, ok := m.keptConfig(b.Commit); ok {
			return kept, nil
		}
	}
	if err == nil && c.image == nil {
		c.image, err = m.Disks.RenderImage(ctx)
	}
	if err == nil && c.platforms == nil {
		c.platforms, err = m.Disks.RenderPlatforms(ctx, b.Arch)
	}
	return c, err
}

// committed gives what the commit carries; nil is what it does not. A commit
// never changes: one that was there to be read is not read again.
func (m *Maker) committed(ctx context.Context, b Build) (imageConfig, error) {
	if known, ok := m.images.Load(b.Commit); ok {
		return known.(imageConfig), nil //nolint:errcheck // nothing else is stored
	}
	image, err := m.committedJSON(ctx, b, imageJSONPath)
	if err != nil || image == nil {
		return imageConfig{}, err
	}
	platforms, err := m.committedJSON(ctx, b, platformsJSONPath)
	if err != nil {
		return imageConfig{}, err
	}
	c := imageConfig{image, platforms}
	m.images.Store(b.Commit, c)
	return c, nil
}

// committedJSON reads a file of the build's commit; nil if it has none.
func (m *Maker) committedJSON(ctx context.Context, b Build, path string) ([]byte, error) {
	file, err := m.Commits.Cat(ctx, b.Commit, path)
	switch {
	case isAbsent(err):
		return nil, nil
	case err == nil && !json.Valid(file):
		return nil, Fail(ClassConfig, "read "+path+" of "+b.ID, "the commit is damaged: make a new build", errors.New("not JSON"))
	}
	return file, err
}
